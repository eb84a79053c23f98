package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/muesli/cancelreader"
	"golang.org/x/term"

	"iris/iris/view"
)

// stage is a whole terminal, which a verb has for itself for a while.
type stage struct {
	*app
	screen view.Alternate
}

// onStage has a play on the terminal, and leaves the terminal as it was, whatever becomes of the play. Its context ends when the
// user types q or Ctrl-C.
func (a *app) onStage(ctx context.Context, play func(context.Context, *stage) error) (err error) {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	release, err := a.keys(quit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	s := &stage{app: a, screen: view.Alternate{Out: a.out}}
	defer func() { err = errors.Join(err, s.screen.Close()) }()
	if err := s.screen.Open(); err != nil {
		return err
	}
	return play(ctx, s)
}

// redrawAgain is how often a play is redrawn: its times go on, and the terminal may have another size.
const redrawAgain = 500 * time.Millisecond

// show shows some lines for a while, as they are and as the terminal is at each moment of it.
func (s *stage) show(ctx context.Context, d time.Duration, lines func(view.Terminal, int) []string) error {
	over := time.NewTimer(d)
	defer over.Stop()
	again := time.NewTicker(redrawAgain)
	defer again.Stop()
	for {
		if err := s.draw(lines); err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-over.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *stage) draw(lines func(view.Terminal, int) []string) error {
	rows := s.rows(s.out)
	return s.screen.Show(lines(s.terminal(s.out), rows), rows)
}

// keys calls quit when the user types q or Ctrl-C, until it is released. Without a terminal to type at nothing is read.
func (a *app) keys(quit func()) (release func() error, err error) {
	file, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func() error { return nil }, nil
	}
	before, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return nil, err
	}
	restore := func() error { return term.Restore(int(file.Fd()), before) }
	reader, err := cancelreader.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, restore())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for key := make([]byte, 1); ; {
			if _, err := reader.Read(key); err != nil {
				return // it was released, or the terminal is gone
			}
			if key[0] == 'q' || key[0] == 'Q' || key[0] == ctrlC {
				quit()
			}
		}
	}()
	return func() error {
		if reader.Cancel() { // else the read cannot be broken off on this system, and ends with the process
			<-done
		}
		return errors.Join(reader.Close(), restore())
	}, nil
}

const ctrlC = 3

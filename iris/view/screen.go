package view

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Screen writes lines to the standard streams and, if they are a terminal, keeps a block of lines below them that is
// redrawn. It is safe for concurrent use.
type Screen struct {
	// Out and Err are the streams; the block is drawn on Err.
	Out, Err io.Writer
	// Shared says that Out is the same terminal as Err: then what is written there pushes the block down.
	Shared bool

	mu    sync.Mutex
	block []string
	drawn int // lines of the block that stand on the terminal
}

// Print writes whole lines to Out.
func (s *Screen) Print(text string) error { return s.write(s.Out, text, s.Shared) }

// Note writes whole lines to Err.
func (s *Screen) Note(text string) error { return s.write(s.Err, text, true) }

func (s *Screen) write(to io.Writer, text string, disturbs bool) error {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !disturbs || s.drawn == 0 {
		_, err := io.WriteString(to, text)
		return err
	}
	if to != s.Err { // two streams to one terminal: what is written first is seen first
		if err := s.send(s.erase()); err != nil {
			return err
		}
		if _, err := io.WriteString(to, text); err != nil {
			return err
		}
		return s.send(s.redraw())
	}
	return s.send(s.erase() + text + s.redraw())
}

// Draw replaces the block; no lines remove it. Lines must not be wider than the terminal.
func (s *Screen) Draw(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block = lines
	if len(lines) == 0 && s.drawn == 0 {
		return nil
	}
	return s.send(s.erase() + s.redraw())
}

func (s *Screen) send(text string) error {
	_, err := io.WriteString(s.Err, text)
	return err
}

// erase takes the block off the terminal and leaves the cursor where it began.
func (s *Screen) erase() string {
	if s.drawn == 0 {
		return ""
	}
	up := s.drawn
	s.drawn = 0
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", up)
}

func (s *Screen) redraw() string {
	var out strings.Builder
	for _, line := range s.block {
		out.WriteString(line + "\n")
	}
	s.drawn = len(s.block)
	return out.String()
}

package sshvm

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

//go:embed host.sh
var hostScript string

// host is one of the pool.
type host struct {
	Host
	dialer *dialer
}

// answer is one line of what a host answered: a word, and what belongs to it.
type answer struct{ word, rest string }

const (
	answerMark = "iris-host: "
	answerMost = 1 << 20 // bytes
)

// order has the host carry out a verb of host.sh, and returns what it answered: at least one line, the last of which is not
// "error" or "busy". What scripts print goes to out. If unasked(err), nothing was carried out; after another error something
// may have been, or still be. The caller bounds ctx.
func (h *host) order(ctx context.Context, out io.Writer, verb string, args ...string) ([]answer, error) {
	c, err := h.dialer.dial(ctx, h.Address)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Address, err)
	}
	defer c.close()
	var said limited
	err = run(c.Client, h.script(verb, args), out, &said)
	answers := readAnswers(said.String())
	if ctx.Err() != nil {
		return nil, fmt.Errorf("host %s: %s: %w", h.Address, verb, context.Cause(ctx))
	}
	if len(answers) == 0 || err != nil {
		if err == nil {
			err = errors.New("no answer")
		}
		return nil, fmt.Errorf("host %s: %s: %w: %.500q", h.Address, verb, err, said.String())
	}
	switch last := answers[len(answers)-1]; last.word {
	case "error":
		return nil, fmt.Errorf("host %s: %s: %s: %.500q", h.Address, verb, last.rest, said.String())
	case "busy":
		return nil, fmt.Errorf("host %s: %s: it is busy with something else of ours, which does not end", h.Address, verb)
	}
	return answers, nil
}

// last is order for verbs that answer with one line, within the time of one that runs no script.
func (h *host) last(ctx context.Context, out io.Writer, verb string, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, h.dialer.timeout)
	defer cancel()
	answers, err := h.order(ctx, out, verb, args...)
	if err != nil {
		return answer{}, err
	}
	return answers[len(answers)-1], nil
}

// scripted is order for verbs that run a script, which has the given time.
func (h *host) scripted(ctx context.Context, within time.Duration, out io.Writer, verb, line, script string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, within+h.dialer.timeout)
	defer cancel()
	seconds := fmt.Sprint(int64((within + time.Second - 1) / time.Second))
	answers, err := h.order(ctx, out, verb, line, seconds, script)
	if err != nil {
		return answer{}, err
	}
	return answers[len(answers)-1], nil
}

// script is what a shell on the host reads.
func (h *host) script(verb string, args []string) string {
	words := []string{"main", quote(h.Dir), verb}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return processes + hostScript + strings.Join(append(words, "end"), " ") + " </dev/null\n"
}

// run has a shell on the host read a script.
func run(c *ssh.Client, script string, out, said io.Writer) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(script), out, said
	err = s.Run("/bin/sh -s")
	var status *ssh.ExitError
	if errors.As(err, &status) && status.Signal() == "" {
		return nil // verbs say by their answer how it went
	}
	return err
}

func readAnswers(said string) []answer {
	var all []answer
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), answerMark); ok {
			word, rest, _ := strings.Cut(text, " ")
			all = append(all, answer{word, rest})
		}
	}
	return all
}

// limited keeps the beginning of what is written to it. It has no other method of the buffer: io.Copy would prefer its
// ReadFrom, which knows no limit.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.kept.Write(p[:min(len(p), answerMost-l.kept.Len())])
	return len(p), nil
}

func (l *limited) String() string { return l.kept.String() }

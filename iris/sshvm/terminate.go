package sshvm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"iris/iris/vm"
)

// ending is one attempt to terminate a slice, for all who wait for it.
type ending struct {
	done chan struct{}
	err  error // once it is done
}

func (e *ending) over() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// Terminate stops the workers, all at once, and gives back each host whose worker has stopped. It waits for the shutdown
// scripts, up to ShutdownTimeout each. An attempt whose ctx ends goes on; a call meanwhile waits for the same one.
func (s *slice) Terminate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("terminate %s: %w", s.held.Slice, err)
	}
	e, err := s.end()
	if e == nil {
		return err
	}
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("terminate %s: %w; it goes on", s.held.Slice, ctx.Err())
	}
}

// end is the attempt under way, or a new one. It is nil if there is nothing to end, or nobody to do it.
func (s *slice) end() (*ending, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	switch {
	case s.over:
		return nil, nil
	case s.ending != nil && !s.ending.over():
		return s.ending, nil
	case s.m.closed:
		return nil, fmt.Errorf("terminate %s: %w", s.held.Slice, errClosed)
	}
	e := &ending{done: make(chan struct{})}
	s.ending = e
	s.halt()
	s.m.owned.Go(func() {
		defer close(e.done)
		e.err = s.terminate()
	})
	return e, nil
}

func (s *slice) terminate() error {
	s.coming.Wait()
	for _, v := range s.machines {
		v.set(vm.Stopping, "", "")
	}
	errs := make([]error, len(s.machines))
	each(len(errs), func(i int) { errs[i] = s.machines[i].release(s.m.ctx) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("terminate %s: %w", s.held.Slice, err)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.bury(s)
	return nil
}

// release stops the VM's worker, and gives its host back.
func (v *machine) release(ctx context.Context) error {
	m := v.slice.m
	m.mu.Lock()
	asked := v.asked
	m.mu.Unlock()
	if v.host == nil || !asked {
		v.set(vm.Terminated, "", "")
		return nil
	}
	said := &lineWriter{most: 5}
	got, err := v.host.scripted(ctx, m.cfg.ShutdownTimeout, said, "end", v.line, m.cfg.Shutdown(v.describe()))
	said.flush()
	switch {
	case m.ctx.Err() != nil:
		return errClosed
	case err != nil:
		return err
	case got.word != "released":
		return fmt.Errorf("host %s: shutdown ended with exit status %s; it said last: %s",
			v.host.Address, got.rest, oneLine(strings.Join(said.lines, "\n")))
	}
	v.leave(vm.Terminated)
	return nil
}

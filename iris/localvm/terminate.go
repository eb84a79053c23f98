package localvm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// termination is what the file of its name says.
type termination struct {
	Began time.Time `json:"began"`
}

// restPatience is how long what workers leave behind may go on once they have ended: their keepers have been told to end.
const restPatience = 2 * time.Second

// Terminate asks the workers to end, waits for them up to the grace, kills what is left, and removes the directory.
func (s *slice) Terminate(ctx context.Context) error {
	bounded, done := s.m.bounded(ctx)
	defer done()
	if err := s.terminate(bounded); err != nil {
		return fmt.Errorf("terminate %s: %w", s.id, err)
	}
	return nil
}

func (s *slice) terminate(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	if s.gone {
		return nil
	}
	held, err := takeLock(ctx, s.m.disk.path(s.id, lockName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without the directory nobody else can be at it
		return err
	}
	defer held.release()
	if over, err := s.m.disk.gone(s.id); err != nil {
		return err
	} else if !over {
		if err := s.stop(ctx); err != nil {
			return err
		}
		if err := s.m.disk.bury(s.id); err != nil {
			return err
		}
	}
	s.end(vm.Terminated, "")
	if err := s.m.disk.discard(s.id); err != nil {
		return err
	}
	s.gone = true
	s.m.forget(s)
	return nil
}

// stop returns nil when nothing of the slice runs. The caller has the turn and the slice's lock.
func (s *slice) stop(ctx context.Context) error {
	first, err := s.beginTermination()
	if err != nil {
		return err
	}
	for i := range s.workers {
		runs, err := s.poll(i)
		if err != nil {
			return err
		}
		s.set(i, vm.Stopping, "", s.since)
		if runs && first { // it runs, so that the group is its own
			_ = syscall.Kill(-s.workers[i].Process.PID, syscall.SIGTERM) // it may have ended since
		}
	}
	now := time.Now()
	deadline := s.since.Add(s.m.cfg.Grace)
	if latest := now.Add(s.m.cfg.Grace); latest.Before(deadline) { // the clock was put back
		deadline = latest
	}
	return s.await(ctx, deadline)
}

// readTermination learns of a termination that another process, or an earlier call, has begun.
func (s *slice) readTermination() error {
	if !s.since.IsZero() {
		return nil
	}
	var t termination
	switch err := readJSON(s.m.disk.path(s.id, terminatingName), &t); {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errDamaged):
		s.since = time.Now()
	case err != nil:
		return err
	default:
		s.since = t.Began
	}
	return nil
}

// beginTermination notes that the workers are about to be asked to end, and reports whether they have not been before.
func (s *slice) beginTermination() (first bool, err error) {
	if err := s.readTermination(); err != nil || !s.since.IsZero() {
		return false, err
	}
	s.since = time.Now()
	err = writeJSON(s.m.disk.path(s.id, terminatingName), termination{s.since})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a disk that is full keeps no machine
		s.m.cfg.Log.Warn("that a slice is being terminated cannot be noted", "slice", s.id, "error", err)
	}
	return true, nil
}

// await waits until nothing of the slice runs, and kills what does after the deadline, or a while after its workers.
func (s *slice) await(ctx context.Context, deadline time.Time) error {
	const shortest, longest = 5 * time.Millisecond, 100 * time.Millisecond
	left, err := family(s.dir(), s.ids(s.workers))
	for pause, orphaned := shortest, false; err == nil && len(left) > 0; pause = min(2*pause, longest) {
		now := time.Now()
		if runs, err := s.anyRuns(); err != nil {
			return err
		} else if rest := now.Add(restPatience); !runs && !orphaned {
			orphaned = true
			if rest.Before(deadline) {
				deadline = rest
			}
		}
		wait := min(pause, deadline.Sub(now))
		if wait <= 0 {
			wait = pause
			if err := kill(left); err != nil {
				return err
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w; %d of its processes still run, call it again", context.Cause(ctx), len(left))
		}
		left, err = family(s.dir(), slices.Concat(left, s.ids(s.workers)))
	}
	if err != nil {
		return err
	}
	_, err = s.anyRuns() // reaps
	return err
}

// anyRuns looks at all workers, and reaps those that have ended.
func (s *slice) anyRuns() (any bool, err error) {
	for i := range s.workers {
		runs, err := s.poll(i)
		if err != nil {
			return false, err
		}
		any = any || runs
	}
	return any, nil
}

// ids are those of workers that may run.
func (s *slice) ids(workers []worker) []runtime.ID {
	var all []runtime.ID
	for _, w := range workers {
		if w.mayRun(s.m.boot) {
			all = append(all, w.Process)
		}
	}
	return all
}

package localvm

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// look finds out how the slice is, unless somebody is at it.
func (s *slice) look() {
	select {
	case s.turn <- struct{}{}:
		defer s.release()
	default:
		return
	}
	s.complain(s.see())
}

// see brings the VMs to what their processes are. Those that have ended are buried. The caller has the turn.
func (s *slice) see() error {
	if gone, err := s.m.disk.gone(s.id); err != nil {
		return err
	} else if gone { // another process has terminated it; reap what was this one's child
		for i := range s.workers {
			_, _ = s.poll(i)
		}
		s.end(vm.Terminated, "")
		s.m.forget(s)
		return nil
	}
	if s.damage != "" {
		return nil
	}
	if err := s.readTermination(); err != nil {
		return err
	}
	var ended []int
	for i := range s.workers {
		runs, err := s.poll(i)
		switch {
		case err != nil:
			return err
		case s.vm(i).State.Terminal(): // it was only to be reaped
		case !s.since.IsZero():
			s.set(i, vm.Stopping, "", s.since) // Terminate finds out about its end
		case runs:
			s.set(i, vm.Ready, "", s.workers[i].Started)
		default:
			ended = append(ended, i)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	return s.buryAll(ended)
}

// poll reports whether a VM's worker runs, and reaps it if it does not. The caller has the turn.
func (s *slice) poll(i int) (runs bool, err error) {
	w := &s.workers[i]
	if w.Process.PID == 0 {
		var noted identity
		switch err := readJSON(s.m.disk.path(s.id, vmName(i), processName), &noted); {
		case err == nil:
			w.identity = noted
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged): // of those, Family finds what there is
			return false, err
		}
	}
	if !w.mayRun(s.m.boot) {
		return false, nil
	}
	runs, exit, err := w.Process.Poll()
	if exit != nil {
		w.exit = exit
	}
	return runs, err
}

// buryAll brings VMs without a worker to their end, unless the slice is being created or terminated.
func (s *slice) buryAll(ended []int) error {
	held, err := tryLock(s.m.disk.path(s.id, lockName))
	missing := errors.Is(err, fs.ErrNotExist) // somebody has removed the directory
	if err != nil && !missing || err == nil && held == nil {
		return err
	}
	defer held.release()
	var errs []error
	for _, i := range ended {
		errs = append(errs, s.bury(i))
	}
	if missing && s.Status().Terminal() {
		s.m.forget(s)
	}
	return errors.Join(errs...)
}

// bury ends a VM whose worker has ended: nothing of it runs when it has its terminal state. What does not die at once is
// looked for again with the next look. The caller has the turn and the slice's lock.
func (s *slice) bury(i int) error {
	path := s.m.disk.path(s.id, vmName(i), endName)
	var e ending
	switch err := readJSON(path, &e); {
	case err == nil && e.State.Terminal(): // another process knows more
		s.set(i, e.State, e.Error, e.At)
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged):
		return err
	}
	if runs, err := s.poll(i); runs || err != nil { // it has been started since
		return err
	}
	left, err := family(s.vmDir(i), s.ids(s.workers[i:i+1]))
	if err != nil {
		return err
	}
	if len(left) > 0 {
		s.m.cfg.Log.Warn("killing what a VM left behind when its worker ended", "vm", s.vm(i).ID, "processes", len(left))
		return kill(left)
	}
	e = s.ending(i)
	s.m.cfg.Log.Warn("a VM has ended", "vm", s.vm(i).ID, "state", e.State, "error", e.Error)
	s.set(i, e.State, e.Error, e.At)
	if err := writeJSON(path, e); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("how %s ended cannot be noted: %w", s.vm(i).ID, err)
	}
	return nil
}

// ending is how a VM came to its end.
func (s *slice) ending(i int) ending {
	w, e := s.workers[i], ending{State: vm.Failed, At: time.Now()}
	switch {
	case w.exit != nil && w.exit.Signal != 0:
		e.State, e.Error = vm.Preempted, "its worker was "+w.exit.Text()
	case w.exit != nil && w.exit.Code == 0:
		e.Error = "its worker ended by itself: exit code 0"
	case w.exit != nil:
		e.Error = "its worker ended by itself: " + w.exit.Text()
	case w.Process.PID == 0:
		e.Error = "its creation was cut short"
	case !w.mayRun(s.m.boot):
		e.Error = "its host was restarted"
	default:
		e.Error = fmt.Sprintf("its worker (process %d) has ended; how is not known, since another process had started it",
			w.Process.PID)
	}
	if last, err := tail(s.vmDir(i), 1); err == nil && len(last) > 0 {
		e.Error += "; it said last: " + last[0]
	}
	return e
}

// family are the processes that belong to a directory of a slice, or to known ones. It looks twice before it says that
// there are none.
func family(dir string, known []runtime.ID) ([]runtime.ID, error) {
	const moment = 5 * time.Millisecond
	all, err := runtime.Family(dir, known)
	if err == nil && len(all) == 0 {
		time.Sleep(moment)
		all, err = runtime.Family(dir, known)
	}
	return all, err
}

func kill(all []runtime.ID) error {
	var errs []error
	for _, id := range all {
		errs = append(errs, id.Kill())
	}
	return errors.Join(errs...)
}

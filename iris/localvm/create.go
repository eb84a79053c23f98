package localvm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// CreateSlice starts the workers and returns when they run. A request without an id gets {group}-{n}, with an n that is
// greater than any before.
func (m *Manager) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	bounded, done := m.bounded(ctx)
	defer done()
	s, err := m.create(bounded, r)
	switch {
	case err == nil:
		return s, nil
	case bounded.Err() != nil:
		return nil, fmt.Errorf("create a slice of %s: %w", m.cfg.Group.Name, context.Cause(bounded))
	case errors.Is(err, vm.ErrMaxSlices), errors.Is(err, vm.ErrSliceGone):
		return nil, err
	default:
		return nil, fmt.Errorf("%w for %s: %w", vm.ErrCreateFailed, m.cfg.Group.Name, err)
	}
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func (m *Manager) create(ctx context.Context, r vm.Request) (*slice, error) {
	if r.ID != "" && !validID.MatchString(r.ID) {
		return nil, fmt.Errorf("the id %q must begin with a letter or digit, then up to 127 letters, digits, '-', '_' or '.'", r.ID)
	}
	if r.Zone == "" {
		r.Zone = m.cfg.Group.Zones[0]
	}
	if !slices.Contains(m.cfg.Group.Zones, r.Zone) {
		return nil, fmt.Errorf("it has no zone %q; its zones are %s", r.Zone, strings.Join(m.cfg.Group.Zones, ", "))
	}
	if _, err := m.ListSlices(ctx); err != nil { // so that those that have ended do not count
		return nil, err
	}
	s, held, err := m.reserve(ctx, r)
	if held == nil {
		return s, err
	}
	defer held.release()
	defer s.release()
	if err := s.start(ctx); err != nil {
		s.undo(ctx, err)
		return nil, err
	}
	return s, nil
}

// reserve makes a slice that has no processes yet, whose turn and lock are the caller's. The lock is nil if there is such a
// slice already. Two that reserve at the same time, in whatever process, do it one after the other.
func (m *Manager) reserve(ctx context.Context, r vm.Request) (*slice, *lock, error) {
	one, err := takeLock(ctx, m.disk.path(groupLockName))
	if err != nil {
		return nil, nil, err
	}
	defer one.release()
	if err := m.adopt(); err != nil {
		return nil, nil, err
	}
	if r.ID == "" {
		if r.ID, err = m.freshID(); err != nil {
			return nil, nil, err
		}
	}
	s := m.find(r.ID)
	gone, err := m.disk.gone(r.ID)
	switch {
	case err != nil:
		return nil, nil, err
	case gone, s != nil && s.Status().Terminal():
		return nil, nil, fmt.Errorf("%w: %s of %s has been there before; choose another id", vm.ErrSliceGone, r.ID, m.cfg.Group.Name)
	case s != nil:
		return s, nil, nil
	}
	live := 0
	for _, s := range m.known() {
		if !s.Status().Terminal() {
			live++
		}
	}
	if live >= m.cfg.Group.MaxSlices {
		return nil, nil, fmt.Errorf("%w for %s in %s: %d of %d slices are live; terminate one or raise max_slices",
			vm.ErrMaxSlices, m.cfg.Group.Name, r.Zone, live, m.cfg.Group.MaxSlices)
	}
	a := about{Zone: r.Zone, Created: time.Now(), Labels: maps.Clone(r.Labels), VMs: m.vms}
	s = newSlice(m, r.ID, a)
	s.turn <- struct{}{}
	m.add(s) // before it can be found in the directory, and taken for another's
	held, err := m.disk.reserve(ctx, r.ID, a)
	if err != nil {
		s.end(vm.Failed, err.Error())
		s.release()
		m.forget(s)
		return nil, nil, err
	}
	return s, held, nil
}

// freshID is one that no slice of the group has or had.
func (m *Manager) freshID() (string, error) {
	taken, err := m.disk.slices()
	if err != nil {
		return "", err
	}
	buried, err := os.ReadDir(m.disk.path(goneName))
	if err != nil {
		return "", err
	}
	for _, e := range buried {
		taken = append(taken, e.Name())
	}
	prefix, next := m.cfg.Group.Name+"-", 0
	for _, id := range taken {
		if n, err := strconv.Atoi(strings.TrimPrefix(id, prefix)); err == nil && strings.HasPrefix(id, prefix) {
			next = max(next, n+1)
		}
	}
	return prefix + strconv.Itoa(next), nil
}

// start starts all workers, or not: then undo ends those that it has.
func (s *slice) start(ctx context.Context) error {
	for i := range s.workers {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.startVM(i); err != nil {
			return fmt.Errorf("start the worker of %s: %w", s.vm(i).ID, err)
		}
	}
	return nil
}

func (s *slice) startVM(i int) error {
	dir := s.vmDir(i)
	temporary := filepath.Join(dir, temporaryName)
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the worker has its own
	v := s.vm(i)
	v.Address, v.WorkerID = local, v.ID
	wanted := s.m.cfg.Command(Machine{
		Slice: s.id, Group: s.Group(), Zone: s.zone, Index: i, VM: v, Labels: s.Labels(), Dir: dir,
	})
	cmd := &exec.Cmd{
		Path: wanted.Path, Args: wanted.Args, Env: wanted.Environ(), Err: wanted.Err,
		Dir: dir, Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	cmd.Env = append(cmd.Env, "PWD="+dir, "TMPDIR="+temporary) // the last one of a name counts
	if cmd.Err == nil {
		cmd.Path, cmd.Err = filepath.Abs(cmd.Path) // it starts in another directory
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	process, err := runtime.Of(cmd.Process.Pid) // nobody has waited for it: it is there
	if err := errors.Join(err, cmd.Process.Release()); err != nil {
		return err
	}
	w := &s.workers[i]
	w.identity = identity{Boot: s.m.boot, Process: process, Started: time.Now()}
	if err := writeJSON(filepath.Join(dir, processName), w.identity); err != nil {
		return err
	}
	s.set(i, vm.Ready, "", w.Started)
	return nil
}

// undoPatience is how long a creation that failed may take to leave nothing behind, whatever has become of its context.
const undoPatience = 10 * time.Second

// undo leaves nothing behind. If it cannot, the slice is one whose creation was cut short.
func (s *slice) undo(ctx context.Context, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoPatience)
	defer cancel()
	err := s.await(ctx, time.Now())
	if err == nil {
		err = s.m.disk.discard(s.id)
	}
	if err != nil {
		s.m.cfg.Log.Error("a creation failed, and what there is of the slice could not be removed; it is to be terminated",
			"slice", s.id, "because", why, "error", err)
		return
	}
	s.end(vm.Failed, "its creation failed: "+why.Error())
	s.gone = true
	s.m.forget(s)
}

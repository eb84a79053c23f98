package localvm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"sync"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// Config is what a manager needs.
type Config struct {
	// Group is the scale group whose slices it makes.
	Group vm.GroupConfig
	// Dir is this group's own directory; it is made. Its slices live in it, and what workers write.
	Dir string
	// Command is the worker to start on a VM. Of what it returns, Path, Args and Env (nil: this process's) are used: the
	// manager sets the output, the working directory, the session, and the variable TMPDIR. A worker reads IRIS_* variables as
	// settings, so a controller's own are no good for it. It must return at once.
	Command func(Machine) *exec.Cmd
	// Grace is the time between SIGTERM and SIGKILL when a slice is terminated. Default 10 s. Workers are to drain faster.
	Grace time.Duration
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Machine is a VM whose worker is to be started.
type Machine struct {
	Slice, Group, Zone string
	Index              int   // of the VM in its slice
	VM                 vm.VM // with the WorkerID that the worker is to have
	Labels             map[string]string
	Dir                string // of this VM alone, absolute; it goes with the slice
}

const defaultGrace = 10 * time.Second

func (c *Config) check() (vms int, err error) {
	mistakes := []error{c.Group.Validate()}
	if c.Dir == "" {
		mistakes = append(mistakes, errors.New("its directory is not named"))
	}
	if c.Command == nil {
		mistakes = append(mistakes, errors.New("the command of its workers is not given"))
	}
	if c.Grace < 0 {
		mistakes = append(mistakes, fmt.Errorf("grace is %v; it must not be negative", c.Grace))
	}
	if err := errors.Join(mistakes...); err != nil {
		return 0, err
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c.Group.VMCount()
}

// Manager is a [vm.Manager] whose machines are processes on this host.
//
// It has no parallelism of its own: one goroutine looks at all slices, in turn, and everything else happens in its callers'.
type Manager struct {
	cfg  Config
	vms  int // of a slice
	disk disk
	boot string // runtime.Boot: this manager does not outlive the machine

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	all  sync.WaitGroup // the goroutine that watches

	mu     sync.Mutex        // held for a look into the map at most
	slices map[string]*slice // the known ones whose directory exists, or is being made
}

var _ vm.Manager = (*Manager)(nil)

// Open takes over the slices that the directory knows of, and watches them until Close. It removes those of which nothing
// is left. The error names every mistake in the config, or what is wrong with the directory.
func Open(cfg Config) (*Manager, error) {
	vms, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("local VMs of scale group %q: %w", cfg.Group.Name, err)
	}
	m := &Manager{cfg: cfg, vms: vms, slices: map[string]*slice{}}
	m.ctx, m.stop = context.WithCancel(context.Background())
	if err := m.open(); err != nil {
		m.stop()
		return nil, fmt.Errorf("local VMs of scale group %s: %w", cfg.Group.Name, err)
	}
	m.all.Go(m.watch)
	return m, nil
}

func (m *Manager) open() (err error) {
	ctx, cancel := context.WithTimeout(m.ctx, openPatience)
	defer cancel()
	if m.boot, err = runtime.Boot(); err != nil {
		return err
	}
	if m.disk, err = openDisk(ctx, m.cfg.Dir, m.cfg.Group.Name); err != nil {
		return err
	}
	if err := m.adopt(); err != nil {
		return err
	}
	for _, s := range m.known() {
		s.look()
		if s.Status().Terminal() {
			m.cfg.Log.Warn("removing what is left of a slice that has ended", "slice", s.id, "errors", s.Status().Errors())
			if err := s.Terminate(ctx); err != nil {
				m.cfg.Log.Warn("it cannot be removed", "slice", s.id, "error", err)
			}
		}
	}
	return nil
}

const openPatience = 30 * time.Second // with locks, and with what does not die

// Close ends the watch, and calls that wait. Workers go on; those that end from now on are reaped by whoever inherits them
// from this process.
func (m *Manager) Close() error {
	m.stop()
	m.all.Wait()
	return nil
}

// watchEvery is how late the end of a worker may be seen.
const watchEvery = 250 * time.Millisecond

// watch looks at every slice again and again. It polls, rather than wait for each child with a goroutine: a wait could not
// be abandoned when the manager is closed and the workers go on, and those that an earlier process has started are nobody's
// children to wait for.
func (m *Manager) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.look()
		case <-m.ctx.Done():
			return
		}
	}
}

func (m *Manager) look() {
	for _, s := range m.known() {
		s.look()
		s.cutLogs()
	}
}

// ListSlices looks at what is in the directory and what runs of it.
func (m *Manager) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	err := ctx.Err()
	if err == nil {
		err = m.adopt()
	}
	if err != nil {
		return nil, fmt.Errorf("list the slices of %s: %w", m.cfg.Group.Name, err)
	}
	live := []vm.Slice{}
	for _, s := range m.known() {
		s.look()
		if !s.Status().Terminal() {
			live = append(live, s)
		}
	}
	return live, nil
}

// adopt takes in the slices that other processes have created.
func (m *Manager) adopt() error {
	ids, err := m.disk.slices()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s := m.find(id); s != nil && s.damage == "" {
			continue
		}
		gone, err := m.disk.gone(id)
		if err != nil {
			return err
		}
		if gone { // whoever terminated it is about to remove it, or did not get to that
			if err := m.disk.discard(id); err != nil {
				m.cfg.Log.Warn("the directory of a slice that is gone cannot be removed", "slice", id, "error", err)
			}
			continue
		}
		s, err := m.read(id)
		if err != nil {
			return err
		}
		if s != nil {
			m.add(s)
		}
	}
	return nil
}

// known are the slices in the map, oldest first.
func (m *Manager) known() []*slice {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*slice, 0, len(m.slices))
	for _, s := range m.slices {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *slice) int {
		return cmp.Or(a.createdAt.Compare(b.createdAt), cmp.Compare(a.id, b.id))
	})
	return all
}

func (m *Manager) find(id string) *slice {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slices[id]
}

// add takes in a slice, unless somebody else just has. It takes the place of one that could not be read.
func (m *Manager) add(s *slice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before := m.slices[s.id]; before == nil || before.damage != "" && s.damage == "" {
		m.slices[s.id] = s
		if s.damage != "" {
			m.cfg.Log.Error("a slice cannot be read", "slice", s.id, "error", s.damage)
		}
	}
}

// forget leaves a slice to those who have its handle.
func (m *Manager) forget(s *slice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slices[s.id] == s {
		delete(m.slices, s.id)
	}
}

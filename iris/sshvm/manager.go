package sshvm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"iris/iris/vm"
)

// Manager is a [vm.Manager] of a pool of hosts.
type Manager struct {
	cfg   Config
	vms   int     // of a slice
	hosts []*host // the pool, in its order

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	owned sync.WaitGroup // creations, VMs that come up, terminations

	mu     sync.Mutex // guards what follows, and what slices and machines have; never held during I/O
	closed bool
	slices []*slice // those that have hosts, or are about to
	buried []string // ids of those that had, the last ones
	halves halves
}

var _ vm.Manager = (*Manager)(nil)

var errClosed = errors.New("the manager is closed")

// Open makes a manager of the hosts. It reads the key and the known hosts, and speaks to no host yet: what slices there
// are is found out by ListSlices. The error names every mistake in the config, each on its own line.
func Open(cfg Config) (*Manager, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, fmt.Errorf("hosts of scale group %q: %w", cfg.Group.Name, err)
	}
	d, err := newDialer(cfg)
	if err != nil {
		return nil, fmt.Errorf("hosts of scale group %s: %w", cfg.Group.Name, err)
	}
	m := &Manager{cfg: cfg}
	if m.vms, err = cfg.Group.VMCount(); err != nil {
		return nil, err
	}
	for _, h := range cfg.Hosts {
		m.hosts = append(m.hosts, &host{Host: h, dialer: d})
	}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m, nil
}

// Close ends everything that the manager does, and waits for that. Slices stay, and scripts that run on hosts go on to
// their end; another manager can take over.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop()
	m.owned.Wait()
	return nil
}

// run has the manager own a goroutine. It is false, and there is none, if the manager is closed.
func (m *Manager) run(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.owned.Go(f)
	return true
}

// host is the one of that address, or nil.
func (m *Manager) host(address string) *host {
	for _, h := range m.hosts {
		if h.Address == address {
			return h
		}
	}
	return nil
}

// find is the slice of that id, or nil. The caller holds the lock.
func (m *Manager) find(id string) *slice {
	for _, s := range m.slices {
		if s.held.Slice == id {
			return s
		}
	}
	return nil
}

// live counts the slices that count against MaxSlices. The caller holds the lock.
func (m *Manager) live() int {
	n := 0
	for _, s := range m.slices {
		if !s.status().Terminal() {
			n++
		}
	}
	return n
}

// buriedMost is how many ids of slices that are gone a manager remembers.
const buriedMost = 1024

// bury takes a slice out that has no hosts any more, once, however many find that out. The caller holds the lock.
func (m *Manager) bury(s *slice) {
	if s.over {
		return
	}
	s.over = true
	s.halt()
	m.slices = slices.DeleteFunc(m.slices, func(other *slice) bool { return other == s })
	m.buried = append(m.buried, s.held.Slice)
	if excess := len(m.buried) - buriedMost; excess > 0 {
		m.buried = slices.Delete(m.buried, 0, excess)
	}
}

// ListSlices looks at all hosts, and returns the slices that have some, also those that FAILED, oldest first. Slices that it
// did not know are taken over. It takes ConnectTimeout for every 32 hosts that do not answer; the error is that none did, or
// ctx's.
func (m *Manager) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	sights, err := m.see(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list the slices of %s: %w", m.cfg.Group.Name, err)
	}
	var refused []error
	for _, s := range sights {
		if s.err != nil {
			refused = append(refused, s.err)
		}
	}
	if len(refused) == len(sights) {
		return nil, fmt.Errorf("list the slices of %s: %w", m.cfg.Group.Name, errors.Join(refused...))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := []*slice{}
	for _, s := range m.slices {
		if s.accepted {
			known = append(known, s)
		}
	}
	slices.SortFunc(known, func(a, b *slice) int {
		return cmp.Or(a.held.Created.Compare(b.held.Created), cmp.Compare(a.held.Slice, b.held.Slice))
	})
	list := make([]vm.Slice, len(known))
	for i, s := range known {
		list[i] = s
	}
	return list, nil
}

// see looks at all hosts, and takes in what it saw, a slice that is wanted also if it is not whole. The error is that ctx
// ended, or the manager is closed.
func (m *Manager) see(ctx context.Context, wanted string) ([]sight, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(m.ctx, func() { cancel(errClosed) })()
	sights := m.lookAll(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m.learn(sights, wanted)
	return sights, nil
}

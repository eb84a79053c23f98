package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Memory is a network inside one process. The zero value is empty and ready.
//
// Its participants have names, so that faults between two of them can be told from faults between others: see As and
// Faults.
type Memory struct {
	mu        sync.Mutex
	listeners map[string]*listener
	owners    map[string]string // who listens, or listened last, at an address
	opened    int
	pairs     map[*pair]struct{} // connections that somebody still holds
	faults    []*Fault           // all that there were
	seed      uint64
	heals     int                      // how often all faults were ended
	changed   chan struct{}            // closed when a fault begins or ends; nil while nobody waits for that
	calling   atomic.Pointer[[]*Fault] // the faults of calls that are on; nil: none are
	again     sync.WaitGroup           // calls that were made once more, and whose callers do not wait for them
}

// Listen opens an address of any form. It fails when the address is in use. Who listens is called like the address.
func (m *Memory) Listen(address string) (net.Listener, error) { return m.listen("", address) }

// Dial connects to an open address, as somebody without a name.
func (m *Memory) Dial(ctx context.Context, address string) (net.Conn, error) {
	return m.dial(ctx, "", address)
}

// As is the same network as one of its participants sees it: what it dials comes from this name, and who dials an
// address that it listens at reaches this name.
func (m *Memory) As(name string) Network { return seat{m, name} }

// seat is a participant's place in the network.
type seat struct {
	network *Memory
	name    string
}

func (s seat) Listen(address string) (net.Listener, error) { return s.network.listen(s.name, address) }

func (s seat) Dial(ctx context.Context, address string) (net.Conn, error) {
	return s.network.dial(ctx, s.name, address)
}

func (m *Memory) listen(name, address string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for address == "" {
		m.opened++
		if free := fmt.Sprintf("memory-%d", m.opened); m.listeners[free] == nil {
			address = free
		}
	}
	if m.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: address in use", address)
	}
	if name == "" {
		name = address
	}
	l := &listener{network: m, address: memoryAddr(address), accept: make(chan net.Conn), done: make(chan struct{})}
	if m.listeners == nil {
		m.listeners, m.owners = map[string]*listener{}, map[string]string{}
	}
	m.listeners[address], m.owners[address] = l, name
	return l, nil
}

// dial is TCP's handshake: one packet there, one back, each as late as the faults on its way make it. It ends with ctx,
// which is all that ends it while a packet is lost.
func (m *Memory) dial(ctx context.Context, from, address string) (net.Conn, error) {
	to := m.owner(address)
	if err := m.cross(ctx, from, to); err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	if m.refused(from, to) {
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	if err := m.cross(ctx, to, from); err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	l, p := m.connect(from, to, memoryAddr(address))
	if l == nil {
		return nil, fmt.Errorf("dial %s: nobody listens there", address)
	}
	var err error
	select {
	case l.accept <- &p.ends[1]:
		return &p.ends[0], nil
	case <-l.done:
		err = errors.New("the listener was closed")
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = p.ends[0].Close(), p.ends[1].Close() // nobody has seen either
	return nil, fmt.Errorf("dial %s: %w", address, err)
}

// owner is the name of who listens at an address, or did; the address itself if nobody has.
func (m *Memory) owner(address string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name, known := m.owners[address]; known {
		return name
	}
	return address
}

// cross returns when a packet of a handshake has got from one participant to another.
func (m *Memory) cross(ctx context.Context, from, to string) error {
	var due time.Time            // zero until it leaves
	counted := map[*Fault]bool{} // a dial is held once by each fault
	for {
		m.mu.Lock()
		on, heals, changed := m.on(from, to), m.heals, m.changes()
		m.mu.Unlock()
		if due.IsZero() {
			due = time.Now()
			for _, f := range on {
				if late := f.late(due, from, to, 0); late.After(due) {
					due = late
					f.dials.Add(1)
				}
			}
		}
		var arrives <-chan time.Time // never, while the way is cut
		stop := func() bool { return true }
		if cut := partitions(on); len(cut) == 0 {
			wait := time.Until(due)
			if wait <= 0 {
				return ctx.Err()
			}
			timer := time.NewTimer(wait)
			arrives, stop = timer.C, timer.Stop
		} else {
			for _, f := range cut {
				if !counted[f] {
					counted[f] = true
					f.dials.Add(1)
				}
			}
		}
		select {
		case <-arrives:
		case <-changed:
			m.mu.Lock()
			if m.heals > heals {
				due = time.Now()
			}
			m.mu.Unlock()
		case <-ctx.Done():
			stop()
			return ctx.Err()
		}
		stop()
	}
}

// partitions are those of the faults that let nothing through.
func partitions(faults []*Fault) []*Fault {
	var cut []*Fault
	for _, f := range faults {
		if f.kind == partition {
			cut = append(cut, f)
		}
	}
	return cut
}

// changes is closed when a fault begins or ends. The caller holds m.mu.
func (m *Memory) changes() <-chan struct{} {
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.changed
}

// connect makes a connection to a listener; nil if there is none.
func (m *Memory) connect(from, to string, address memoryAddr) (*listener, *pair) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.listeners[string(address)]
	if l == nil {
		return nil, nil
	}
	p := newPair(m, from, to, address)
	p.ends[0].out.faults, p.ends[1].out.faults = m.on(from, to), m.on(to, from)
	if m.pairs == nil {
		m.pairs = map[*pair]struct{}{}
	}
	m.pairs[p] = struct{}{}
	return l, p
}

// forget is called once nobody holds the connection any more.
func (m *Memory) forget(p *pair) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pairs, p)
}

type listener struct {
	network *Memory
	address memoryAddr
	accept  chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (l *listener) Addr() net.Addr { return l.address }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: l.address.Network(), Addr: l.address, Err: net.ErrClosed}
	case c := <-l.accept:
		return c, nil
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, string(l.address))
		l.network.mu.Unlock()
		close(l.done)
	})
	return nil
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

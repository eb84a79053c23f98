package network

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Anybody in the place of a name is every participant, those without a name too.
const Anybody = "*"

// Faults make a Memory network fail, from one participant to another: both are names (see Memory.As) or Anybody. A fault
// takes effect at once, on the connections that are there and on those to come, and lasts until it or the network is
// healed. Several may hold between the same two. Numbers that make no sense panic, and change nothing.
//
// Connections are streams of bytes, as TCP's are: what is written arrives whole and in order, or the connection breaks.
// TCP hides the loss of a packet by sending it again, so that a loss is a delay (Lossy) and nothing is ever missing,
// repeated or overtaken. Calls can be, those that wait for one answer: see Repeat and Reorder. A call that is lost all by
// itself is the business of a chaos site.
type Faults struct{ network *Memory }

// Faults are the network's.
func (m *Memory) Faults() Faults { return Faults{m} }

// Seed decides all that is random from now on: a draw follows from the seed, the fault's kind, the two names and how many
// draws there were between them before.
func (fs Faults) Seed(seed uint64) {
	fs.network.mu.Lock()
	defer fs.network.mu.Unlock()
	fs.network.seed = seed
}

// Partition loses every packet from a to b. What a writes waits, and arrives when the fault ends; so does the news that a
// has closed a connection, or that it wants a new one. Nor can b connect to a then, since the answer is lost; but what b
// writes on the connections that are there does arrive.
func (fs Faults) Partition(a, b string) *Fault { return fs.add(&Fault{kind: partition, a: a, b: b}) }

// Cut is Partition in both directions.
func (fs Faults) Cut(a, b string) *Fault {
	return fs.add(&Fault{kind: partition, a: a, b: b, both: true})
}

// Delay has whatever goes from a to b arrive later: by d, and by up to jitter more, but never before what was written
// earlier. A new connection takes a way there and one back.
func (fs Faults) Delay(a, b string, d, jitter time.Duration) *Fault {
	must(d >= 0 && jitter >= 0 && d+jitter > 0, "Delay(%v, %v): want one that is above 0, and none below", d, jitter)
	return fs.add(&Fault{kind: delay, a: a, b: b, d: d, jitter: jitter})
}

// Slow lets so many bytes a second through from a to b, all connections between them together.
func (fs Faults) Slow(a, b string, bytesPerSecond int) *Fault {
	must(bytesPerSecond > 0, "Slow(%d bytes per second): want at least 1", bytesPerSecond)
	return fs.add(&Fault{kind: slow, a: a, b: b, rate: bytesPerSecond})
}

// Lossy loses a share of the packets from a to b, from 0 to 1, and each that is sent again with the same likelihood. TCP
// sends again after 200 ms, then 400 ms and so on, and what was written later waits. Not more than five are lost in a row,
// so that nothing is later than 6.2 s.
func (fs Faults) Lossy(a, b string, share float64) *Fault {
	must(share > 0 && share < 1, "Lossy(%v): want a share above 0 and below 1; Partition loses all", share)
	return fs.add(&Fault{kind: lossy, a: a, b: b, share: share})
}

// Refuse answers whoever at a dials b that nobody listens there, in the words of ECONNREFUSED. Connections that are there
// stay.
func (fs Faults) Refuse(a, b string) *Fault { return fs.add(&Fault{kind: refuse, a: a, b: b}) }

// Reset breaks every connection that there is between a and b, whoever dialled: both ends get ECONNRESET, and what was
// under way is lost. It is over at once; new connections are as ever.
func (fs Faults) Reset(a, b string) *Fault {
	f := &Fault{kind: reset, a: a, b: b, both: true, ended: true, network: fs.network}
	m := fs.mine()
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.pairs {
		if f.on(p.ends[0].out.from, p.ends[0].out.to) && p.breakNow() {
			f.connections.Add(1)
		}
	}
	m.faults = append(m.faults, f)
	return f
}

// Heal ends all faults. What waited or was late arrives now.
func (fs Faults) Heal() {
	if fs.network == nil {
		return
	}
	fs.network.change(func() {
		for _, f := range fs.network.faults {
			f.ended = true
		}
		fs.network.heals++
	}, true)
}

// All are the faults that there were, in order, those that are over too.
func (fs Faults) All() []*Fault {
	if fs.network == nil {
		return nil
	}
	fs.network.mu.Lock()
	defer fs.network.mu.Unlock()
	return slices.Clone(fs.network.faults)
}

// Verify says which faults never took effect, so that nothing was proven by them. Nil: each did.
func (fs Faults) Verify() error {
	var idle []string
	for _, f := range fs.All() {
		if f.Effects() == (Effects{}) {
			idle = append(idle, f.String())
		}
	}
	if idle == nil {
		return nil
	}
	return fmt.Errorf("network: never took effect: %s; open connections: %s", strings.Join(idle, ", "), fs.network.open())
}

func (fs Faults) add(f *Fault) *Fault {
	m := fs.mine()
	m.change(func() {
		f.network, f.seed = m, m.seed
		m.faults = append(m.faults, f)
	}, false)
	return f
}

func (fs Faults) mine() *Memory {
	must(fs.network != nil, "this network cannot be told to fail; an in-memory one can")
	return fs.network
}

func must(right bool, format string, args ...any) {
	if !right {
		panic("network: " + fmt.Sprintf(format, args...))
	}
}

// The kinds of faults.
type kind string

const (
	partition kind = "partition"
	delay     kind = "delay"
	slow      kind = "slow"
	lossy     kind = "lossy"
	refuse    kind = "refuse"
	reset     kind = "reset"
	repeat    kind = "repeat"
	reorder   kind = "reorder"
)

// Fault is one that was made by Faults.
type Fault struct {
	network   *Memory
	kind      kind
	a, b      string
	both      bool // directions
	ended     bool // guarded by network.mu
	seed      uint64
	d, jitter time.Duration
	rate      int
	share     float64

	bytes, dials, connections, calls atomic.Int64

	mu   sync.Mutex
	ways map[way]*progress
}

// way is one from one participant to another, and progress what a fault remembers of it.
type (
	way      struct{ from, to string }
	progress struct {
		draws uint64    // so far
		busy  time.Time // until when a slow way is
	}
)

// Effects are what a fault has done.
type Effects struct {
	Bytes       int64 // that were written to somebody who got them late
	Dials       int64 // that were refused, or took longer
	Connections int64 // that were reset
	Calls       int64 // that were made twice, or held back
}

// Effects are what the fault has done so far, exactly.
func (f *Fault) Effects() Effects {
	return Effects{
		Bytes: f.bytes.Load(), Dials: f.dials.Load(), Connections: f.connections.Load(), Calls: f.calls.Load(),
	}
}

// End ends this fault. What it held back goes on its way; what it made late comes as late.
func (f *Fault) End() { f.network.change(func() { f.ended = true }, false) }

func (f *Fault) String() string {
	arrow := " -> "
	if f.both {
		arrow = " <-> "
	}
	return string(f.kind) + " " + f.a + arrow + f.b
}

// on reports whether the fault is one of this way.
func (f *Fault) on(from, to string) bool {
	is := func(name, who string) bool { return name == Anybody || name == who }
	return is(f.a, from) && is(f.b, to) || f.both && is(f.a, to) && is(f.b, from)
}

// late is when something of so many bytes arrives that would arrive at due, were it not for the fault.
func (f *Fault) late(due time.Time, from, to string, bytes int) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.progress(from, to)
	switch f.kind {
	case delay:
		due = due.Add(f.d)
		if f.jitter > 0 {
			due = due.Add(time.Duration(f.draw(p, from, to).Int64N(int64(f.jitter) + 1)))
		}
	case slow:
		if p.busy.After(due) {
			due = p.busy
		}
		due = due.Add(time.Duration(bytes) * time.Second / time.Duration(f.rate))
		p.busy = due
	case lossy:
		again := retransmission
		for draw := f.draw(p, from, to); draw.Float64() < f.share && again <= lastRetransmission; again *= 2 {
			due = due.Add(again)
		}
	}
	return due
}

// progress is that on one way. The caller holds f.mu.
func (f *Fault) progress(from, to string) *progress {
	if f.ways == nil {
		f.ways = map[way]*progress{}
	}
	p := f.ways[way{from, to}]
	if p == nil {
		p = &progress{}
		f.ways[way{from, to}] = p
	}
	return p
}

// The pauses before a packet is sent again.
const (
	retransmission     = 200 * time.Millisecond
	lastRetransmission = retransmission << 4
)

// draw is the source of the next decision. The caller holds f.mu.
func (f *Fault) draw(p *progress, from, to string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %q %q", f.seed, f.kind, from, to) // a hash takes whatever it is given
	p.draws++
	return rand.New(rand.NewPCG(h.Sum64(), p.draws))
}

// on are the faults that hold what goes from one participant to another back. The caller holds m.mu.
func (m *Memory) on(from, to string) []*Fault {
	var on []*Fault
	for _, f := range m.faults {
		if !f.ended && f.kind != refuse && !f.kind.ofCalls() && f.on(from, to) {
			on = append(on, f)
		}
	}
	return on
}

// refused reports whether a dial is refused, and counts it.
func (m *Memory) refused(from, to string) (refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.faults {
		if !f.ended && f.kind == refuse && f.on(from, to) {
			f.dials.Add(1)
			refused = true
		}
	}
	return refused
}

// change makes a change of the faults take effect.
func (m *Memory) change(change func(), healed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.calling.Store(suffering(m.faults))
	now := time.Now()
	for p := range m.pairs {
		p.mu.Lock()
		for i := range p.ends {
			out := p.ends[i].out
			out.suffer(now, m.on(out.from, out.to), healed)
		}
		p.wake.Broadcast()
		p.mu.Unlock()
	}
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// open lists the connections that there are, for whoever wonders what a fault missed.
func (m *Memory) open() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []string{}
	for p := range m.pairs {
		all = append(all, fmt.Sprintf("%q -> %q", p.ends[0].out.from, p.ends[0].out.to))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

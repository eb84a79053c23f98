package fault

import (
	"fmt"
	"strings"
	"time"

	"iris/iris/network"
)

// Anybody in the place of a name is every participant.
const Anybody = network.Anybody

// Kind is what goes wrong.
type Kind string

// The kinds, each named after its constructor.
const (
	KindPartition Kind = "partition"
	KindCut       Kind = "cut"
	KindDelay     Kind = "delay"
	KindLossy     Kind = "lossy"
	KindSlow      Kind = "slow"
	KindRefuse    Kind = "refuse"
	KindReset     Kind = "reset"
	KindRepeat    Kind = "repeat"
	KindReorder   Kind = "reorder"
	KindCrash     Kind = "crash"
	KindRestart   Kind = "restart"
	KindFreeze    Kind = "freeze"
	KindSkew      Kind = "skew"
	KindSite      Kind = "site"
	KindCreation  Kind = "creation"
	KindTaken     Kind = "taken"
	KindNotice    Kind = "notice"
	KindBroken    Kind = "broken"
	KindListLag   Kind = "list-lag"
)

// Kinds are all of them.
var Kinds = []Kind{
	KindPartition, KindCut, KindDelay, KindLossy, KindSlow, KindRefuse, KindReset, KindRepeat, KindReorder, KindCrash,
	KindRestart, KindFreeze, KindSkew, KindSite, KindCreation, KindTaken, KindNotice, KindBroken, KindListLag,
}

// Fault is one thing that goes wrong. The constructors make it; At and For say when.
type Fault struct {
	Kind Kind `json:"kind"`
	// A is the participant it happens to, or where what it happens to comes from; B where that goes to.
	A string `json:"a,omitempty"`
	B string `json:"b,omitempty"`
	// Begins is when, since the cluster was there.
	Begins Span `json:"begins,omitempty"`
	// Lasts is how long. 0: until all faults end.
	Lasts Span `json:"lasts,omitempty"`

	Delay  Span    `json:"delay,omitempty"`
	Jitter Span    `json:"jitter,omitempty"`
	Share  float64 `json:"share,omitempty"`
	Rate   int     `json:"rate,omitempty"`  // bytes a second
	Site   string  `json:"site,omitempty"`  // of chaos
	Times  int     `json:"times,omitempty"` // that a site fires at the most; 0: no bound
	Mode   string  `json:"mode,omitempty"`  // of creations, see Creation
	Nth    int     `json:"nth,omitempty"`   // of the group's live slices, the oldest being 0; counted round
}

// Partition loses every packet from a to b (see [network.Faults.Partition]).
func Partition(a, b string) Fault { return Fault{Kind: KindPartition, A: a, B: b} }

// Cut is Partition in both directions.
func Cut(a, b string) Fault { return Fault{Kind: KindCut, A: a, B: b} }

// Delay makes everything from a to b late, by d and by up to jitter more.
func Delay(a, b string, d, jitter time.Duration) Fault {
	return Fault{Kind: KindDelay, A: a, B: b, Delay: Span(d), Jitter: Span(jitter)}
}

// Lossy loses a share of the packets from a to b, above 0 and below 1; they are sent again.
func Lossy(a, b string, share float64) Fault {
	return Fault{Kind: KindLossy, A: a, B: b, Share: share}
}

// Slow lets so many bytes a second through from a to b.
func Slow(a, b string, bytesPerSecond int) Fault {
	return Fault{Kind: KindSlow, A: a, B: b, Rate: bytesPerSecond}
}

// Refuse lets nobody at a connect to b.
func Refuse(a, b string) Fault { return Fault{Kind: KindRefuse, A: a, B: b} }

// Reset breaks all connections between a and b, at once and once.
func Reset(a, b string) Fault { return Fault{Kind: KindReset, A: a, B: b} }

// Repeat has a share of the calls of a to b arrive twice.
func Repeat(a, b string, share float64) Fault {
	return Fault{Kind: KindRepeat, A: a, B: b, Share: share}
}

// Reorder holds a share of the calls of a to b back for up to d, so that later ones overtake them.
func Reorder(a, b string, share float64, d time.Duration) Fault {
	return Fault{Kind: KindReorder, A: a, B: b, Share: share, Delay: Span(d)}
}

// Crash ends a controller or a worker as kill -9 does. It is started again, on what its disk has, when the fault ends.
func Crash(x string) Fault { return Fault{Kind: KindCrash, A: x} }

// Restart is a Crash that ends at once.
func Restart(x string) Fault { return Fault{Kind: KindRestart, A: x} }

// Freeze has a participant neither say nor hear anything, whoever speaks with it.
func Freeze(x string) Fault { return Fault{Kind: KindFreeze, A: x} }

// Skew makes each heartbeat of a worker late by d, as a clock that is slow does.
func Skew(worker string, d time.Duration) Fault {
	return Fault{Kind: KindSkew, A: worker, Delay: Span(d)}
}

// AtSite has a chaos site fail for a share of what x does there, so many times at the most (0: no bound). X is a worker, for
// sites of the journal a controller, and for those of machines a scale group.
func AtSite(site, x string, share float64, times int) Fault {
	return Fault{Kind: KindSite, Site: site, A: x, Share: share, Times: times}
}

// Creation has the platform of a scale group do with what is asked of it as one of [Modes] says: "quota".
func Creation(group, mode string) Fault { return Fault{Kind: KindCreation, A: group, Mode: mode} }

// Taken takes the nth live slice of a scale group away without a word, as a preemption does.
func Taken(group string, nth int) Fault { return Fault{Kind: KindTaken, A: group, Nth: nth} }

// Notice takes the nth live slice of a scale group away after a grace, of which it is told.
func Notice(group string, nth int, grace time.Duration) Fault {
	return Fault{Kind: KindNotice, A: group, Nth: nth, Delay: Span(grace)}
}

// Broken breaks one machine of the nth live slice of a scale group.
func Broken(group string, nth int) Fault { return Fault{Kind: KindBroken, A: group, Nth: nth} }

// ListLag has the platform of a scale group show what was d ago.
func ListLag(group string, d time.Duration) Fault {
	return Fault{Kind: KindListLag, A: group, Delay: Span(d)}
}

// At is the same fault, beginning then.
func (f Fault) At(since time.Duration) Fault {
	f.Begins = Span(since)
	return f
}

// For is the same fault, lasting so long.
func (f Fault) For(d time.Duration) Fault {
	f.Lasts = Span(d)
	return f
}

// Instant reports whether the fault is over as soon as it has begun.
func (f Fault) Instant() bool {
	switch f.Kind {
	case KindReset, KindRestart, KindTaken, KindNotice, KindBroken:
		return true
	}
	return false
}

// Ends is when a fault is over, since the cluster was there; false: not before all are.
func (f Fault) Ends() (time.Duration, bool) {
	if f.Instant() {
		return time.Duration(f.Begins), true
	}
	return time.Duration(f.Begins + f.Lasts), f.Lasts > 0
}

// OfNetwork reports whether it is between participants, and not with one of them.
func (f Fault) OfNetwork() bool {
	switch f.Kind {
	case KindPartition, KindCut, KindDelay, KindLossy, KindSlow, KindRefuse, KindReset, KindRepeat, KindReorder:
		return true
	}
	return false
}

// OfMachines reports whether it is with the platform of a scale group, which A then is.
func (f Fault) OfMachines() bool {
	switch f.Kind {
	case KindCreation, KindTaken, KindNotice, KindBroken, KindListLag:
		return true
	}
	return false
}

// OfJournal reports whether it is with the log of a controller, which it ends.
func (f Fault) OfJournal() bool {
	return f.Kind == KindSite && strings.HasPrefix(f.Site, "journal.")
}

// Label is the label by which the hits of its chaos site say that it is A who passes it.
func (f Fault) Label() string {
	switch {
	case f.OfJournal():
		return "controller"
	case strings.HasPrefix(f.Site, "vm."):
		return "group"
	}
	return "worker"
}

// OfController reports whether it names a controller: as whom it happens to, or as one of those that it is between.
func (f Fault) OfController() bool {
	return strings.HasPrefix(f.A, "c-") || strings.HasPrefix(f.B, "c-")
}

// String is for people: "cut w-0 <-> c-0 at 10s for 45s".
func (f Fault) String() string {
	words := []string{string(f.Kind)}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch {
	case f.Kind == KindSite:
		add("%s %s", f.Site, f.A)
	case f.Kind == KindCut, f.Kind == KindReset:
		add("%s <-> %s", f.A, f.B)
	case f.OfNetwork():
		add("%s -> %s", f.A, f.B)
	default:
		add("%s", f.A)
	}
	if f.Mode != "" {
		add("%s", f.Mode)
	}
	if f.Kind == KindTaken || f.Kind == KindNotice || f.Kind == KindBroken {
		add("slice %d", f.Nth)
	}
	if f.Share > 0 {
		add("%g%%", 100*f.Share)
	}
	if f.Times > 0 {
		add("%d times", f.Times)
	}
	if f.Rate > 0 {
		add("%d B/s", f.Rate)
	}
	if f.Delay > 0 {
		add("by %v", f.Delay)
	}
	if f.Jitter > 0 {
		add("±%v", f.Jitter)
	}
	add("at %v", f.Begins)
	if f.Lasts > 0 {
		add("for %v", f.Lasts)
	}
	return strings.Join(words, " ")
}

package fault

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/fakevm"
	"iris/iris/network"
	"iris/iris/vm"
)

// Cluster is what faults are done to.
type Cluster interface {
	// Faults are those of its network, which must be in memory.
	Faults() network.Faults
	// Kill ends a controller or a worker at once; Revive starts it again.
	Kill(id string) error
	Revive(id string) error
	// Arm arms a chaos rule that this cluster alone sees.
	Arm(rule string) (Rule, error)
	// Cloud is the pretended platform of a scale group.
	Cloud(group string) *fakevm.Manager
}

// Rule is an armed chaos rule.
type Rule interface {
	Disarm()
	Fired() int
}

// Ongoing is a fault that has begun.
type Ongoing struct {
	Fault  Fault
	Began  time.Time
	Ended  time.Time // zero: it has not
	end    func() error
	struck func() bool
}

// End ends it. What is over already stays over.
func (o *Ongoing) End() error {
	end := o.end
	o.end = nil
	if end == nil {
		return nil
	}
	if o.Ended.IsZero() {
		o.Ended = time.Now()
	}
	if err := end(); err != nil {
		return fmt.Errorf("end of %v: %w", o.Fault, err)
	}
	return nil
}

// Struck reports whether it has had an effect so far: a packet was late, a rule fired, a machine was there to be taken.
func (o *Ongoing) Struck() bool { return o.struck() }

// Modes are what a platform may do with what is asked of it: see fakevm.
var Modes = map[string]fakevm.FailureMode{
	"fails": fakevm.CreateFails, "quota": fakevm.QuotaExceeded, "stockout": fakevm.Stockout, "hangs": fakevm.CreateHangs,
	"partial": fakevm.CreatePartial, "boot-stuck": fakevm.BootStuck, "init-stuck": fakevm.InitStuck,
}

// Begin does the fault to a cluster. It lasts until its End; when it is to begin and how long it is to last is the caller's
// business. One that this cluster cannot have is an error; what makes no sense at all, such as a participant that there is
// not, panics.
func (f Fault) Begin(on Cluster) (*Ongoing, error) {
	o := &Ongoing{Fault: f, Began: time.Now(), end: func() error { return nil }, struck: func() bool { return true }}
	if err := f.begin(on, o); err != nil {
		return nil, fmt.Errorf("begin of %v: %w", f, err)
	}
	if f.Instant() {
		o.Ended = o.Began
	}
	return o, nil
}

func (f Fault) begin(on Cluster, o *Ongoing) error {
	switch {
	case f.OfNetwork(), f.Kind == KindFreeze:
		f.beginNetwork(on.Faults(), o)
		return nil
	case f.OfMachines():
		return f.beginMachines(on.Cloud(f.A), o)
	}
	switch f.Kind {
	case KindCrash:
		o.end = func() error { return on.Revive(f.A) }
		return on.Kill(f.A)
	case KindRestart:
		if err := on.Kill(f.A); err != nil {
			return err
		}
		return on.Revive(f.A)
	case KindSkew:
		return arm(on, o, fmt.Sprintf("%s delay %v", f.at("worker.heartbeat"), f.Delay))
	case KindSite:
		return arm(on, o, f.rule())
	}
	return fmt.Errorf("there is no fault %q; there are %v", f.Kind, Kinds)
}

// rule is the text of the chaos rule of a KindSite.
func (f Fault) rule() string {
	text := f.at(f.Site) + fmt.Sprintf(" rate %g fail", f.Share)
	if f.Times > 0 {
		text += fmt.Sprintf(" max %d", f.Times)
	}
	return text
}

// at is the text of a chaos site where it is A that passes it.
func (f Fault) at(site string) string {
	if f.A == Anybody {
		return site
	}
	return fmt.Sprintf("%s[%s=%s]", site, f.Label(), f.A)
}

func arm(on Cluster, o *Ongoing, text string) error {
	rule, err := on.Arm(text)
	if err != nil {
		return err
	}
	o.end = func() error { rule.Disarm(); return nil }
	o.struck = func() bool { return rule.Fired() > 0 }
	return nil
}

func (f Fault) beginNetwork(n network.Faults, o *Ongoing) {
	var made *network.Fault
	switch d := time.Duration(f.Delay); f.Kind {
	case KindPartition:
		made = n.Partition(f.A, f.B)
	case KindCut:
		made = n.Cut(f.A, f.B)
	case KindFreeze:
		made = n.Cut(f.A, Anybody)
	case KindDelay:
		made = n.Delay(f.A, f.B, d, time.Duration(f.Jitter))
	case KindLossy:
		made = n.Lossy(f.A, f.B, f.Share)
	case KindSlow:
		made = n.Slow(f.A, f.B, f.Rate)
	case KindRefuse:
		made = n.Refuse(f.A, f.B)
	case KindReset:
		made = n.Reset(f.A, f.B)
	case KindRepeat:
		made = n.Repeat(f.A, f.B, f.Share)
	case KindReorder:
		made = n.Reorder(f.A, f.B, f.Share, d)
	}
	o.struck = func() bool { return made.Effects() != network.Effects{} }
	if f.Kind != KindReset {
		o.end = func() error { made.End(); return nil }
	}
}

func (f Fault) beginMachines(cloud *fakevm.Manager, o *Ongoing) error {
	live := cloud.Live()
	nth := func() vm.Slice { return live[f.Nth%len(live)] }
	switch f.Kind {
	case KindCreation:
		mode, known := Modes[f.Mode]
		if !known {
			return fmt.Errorf("there is no mode %q; there are %v", f.Mode, slices.Sorted(maps.Keys(Modes)))
		}
		cloud.SetFailureMode(mode)
		o.end = func() error { cloud.SetFailureMode(fakevm.None); return nil }
		return nil
	case KindListLag:
		cloud.SetListLag(time.Duration(f.Delay))
		o.end = func() error { cloud.SetListLag(0); return nil }
		return nil
	}
	if len(live) == 0 {
		o.struck = func() bool { return false }
		return nil
	}
	switch f.Kind {
	case KindNotice:
		return cloud.Notice(nth().ID(), time.Duration(f.Delay))
	case KindBroken:
		return cloud.FailVM(nth().Status().VMs[0].ID, "it is broken")
	}
	return cloud.Preempt(nth().ID())
}

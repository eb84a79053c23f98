package fakevm_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iris/fakevm"
	"iris/iris/vm"
)

// next is the legal order: what each state may become. A late tick may pass through several at once.
var next = map[vm.State][]vm.State{
	vm.Booting:      {vm.Initializing, vm.Terminated, vm.Preempted},
	vm.Initializing: {vm.Ready, vm.Terminated, vm.Preempted},
	vm.Ready:        {vm.Terminated, vm.Preempted},
}

func reachable(from, to vm.State) bool {
	return from == to || slices.ContainsFunc(next[from], func(s vm.State) bool { return reachable(s, to) })
}

// platform drives a fake through random calls and knows what each slice should be.
type platform struct {
	*fakevm.Manager
	cfg  fakevm.Config
	mode fakevm.FailureMode
	now  time.Time

	want map[string]vm.State // by slice id
	seen map[string]vm.VM    // by VM id, as of the last check
}

func TestRandomHistoriesKeepTheGuarantees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &platform{now: epoch, want: map[string]vm.State{}, seen: map[string]vm.VM{}}
		p.cfg = fakevm.Config{
			Group: vm.GroupConfig{
				Name: "test", MaxSlices: rapid.IntRange(1, 3).Draw(t, "max"), Zones: []string{"z"},
				VMsPerSlice: rapid.IntRange(1, 3).Draw(t, "vms"),
			},
			BootDelay: seconds(0, 5).Draw(t, "boot delay"),
			InitDelay: seconds(0, 5).Draw(t, "init delay"),
		}
		m, err := fakevm.New(p.cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.Manager = m
		m.Tick(epoch)
		t.Repeat(map[string]func(*rapid.T){
			"create":       p.create,
			"tick":         p.tick,
			"tick back":    p.tickBack,
			"terminate":    p.terminate,
			"preempt":      p.preempt,
			"failure mode": p.setMode,
			"":             p.check,
		})
	})
}

func seconds(from, to int) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.IntRange(from, to), func(n int) time.Duration { return time.Duration(n) * time.Second })
}

func (p *platform) create(t *rapid.T) {
	var want error
	switch {
	case p.live() >= p.cfg.Group.MaxSlices:
		want = vm.ErrMaxSlices
	case p.mode == fakevm.CreateFails:
		want = vm.ErrCreateFailed
	case p.mode == fakevm.QuotaExceeded:
		want = vm.ErrQuotaExceeded
	}
	s, err := p.CreateSlice(context.Background(), vm.Request{})
	if !errors.Is(err, want) {
		t.Fatalf("creation: %v, want %v", err, want)
	}
	if err == nil {
		p.want[s.ID()] = vm.Booting
	}
}

func (p *platform) tick(t *rapid.T) {
	p.now = p.now.Add(seconds(0, 8).Draw(t, "step"))
	p.Tick(p.now)
	for _, s := range p.Slices() {
		if p.want[s.ID()].Terminal() {
			continue
		}
		switch age := p.now.Sub(s.CreatedAt()); {
		case age >= p.cfg.BootDelay+p.cfg.InitDelay:
			p.want[s.ID()] = vm.Ready
		case age >= p.cfg.BootDelay:
			p.want[s.ID()] = vm.Initializing
		}
	}
}

func (p *platform) tickBack(t *rapid.T) {
	p.Tick(p.now.Add(-seconds(1, 100).Draw(t, "back")))
}

func (p *platform) terminate(t *rapid.T) {
	s, ok := p.pick(t)
	if !ok {
		return
	}
	if err := s.Terminate(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.ended(s, vm.Terminated)
}

func (p *platform) preempt(t *rapid.T) {
	s, ok := p.pick(t)
	if !ok {
		return
	}
	if err := p.Preempt(s.ID()); err != nil {
		t.Fatal(err)
	}
	p.ended(s, vm.Preempted)
}

func (p *platform) setMode(t *rapid.T) {
	p.mode = rapid.SampledFrom([]fakevm.FailureMode{
		fakevm.None, fakevm.CreateFails, fakevm.QuotaExceeded,
	}).Draw(t, "mode")
	p.SetFailureMode(p.mode)
}

func (p *platform) pick(t *rapid.T) (vm.Slice, bool) {
	all := p.Slices()
	if len(all) == 0 {
		return nil, false
	}
	return rapid.SampledFrom(all).Draw(t, "slice"), true
}

func (p *platform) ended(s vm.Slice, state vm.State) {
	if !p.want[s.ID()].Terminal() {
		p.want[s.ID()] = state
	}
}

func (p *platform) live() int {
	n := 0
	for _, state := range p.want {
		if !state.Terminal() {
			n++
		}
	}
	return n
}

// check holds after every call.
func (p *platform) check(t *rapid.T) {
	live, err := p.ListSlices(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(live) > p.cfg.Group.MaxSlices || len(live) != p.live() {
		t.Fatalf("%d live slices, want %d of at most %d", len(live), p.live(), p.cfg.Group.MaxSlices)
	}
	for _, s := range p.Slices() {
		for _, v := range s.Status().VMs {
			was, known := p.seen[v.ID]
			if known && was.State.Terminal() && v != was {
				t.Fatalf("terminal VM changed from %+v to %+v", was, v)
			}
			if known && !reachable(was.State, v.State) {
				t.Fatalf("%s went from %v to %v", v.ID, was.State, v.State)
			}
			ready := s.CreatedAt().Add(p.cfg.BootDelay + p.cfg.InitDelay)
			if v.State == vm.Ready && (p.now.Before(ready) || !v.ChangedAt.Equal(ready)) {
				t.Fatalf("%+v at %v, want READY at %v", v, p.now, ready)
			}
			if v.State != p.want[s.ID()] {
				t.Fatalf("%+v at %v, want %v", v, p.now, p.want[s.ID()])
			}
			p.seen[v.ID] = v
		}
	}
}

package fakevm_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iris/fakevm"
	"iris/iris/vm"
)

// next is the legal order: what each state may become. A late tick may pass through several at once.
var next = map[vm.State][]vm.State{
	vm.Booting:      {vm.Initializing, vm.Stopping, vm.Terminated, vm.Preempted, vm.Failed},
	vm.Initializing: {vm.Ready, vm.Stopping, vm.Terminated, vm.Preempted, vm.Failed},
	vm.Ready:        {vm.Stopping, vm.Terminated, vm.Preempted, vm.Failed},
	vm.Stopping:     {vm.Terminated, vm.Preempted, vm.Failed},
}

func reachable(from, to vm.State) bool {
	return from == to || slices.ContainsFunc(next[from], func(s vm.State) bool { return reachable(s, to) })
}

// platform drives a fake through random calls beside a model of it.
type platform struct {
	*fakevm.Manager
	model
	machines *recorder

	seen map[string]vm.VM         // by VM id, as of the last check
	paid map[string]time.Duration // by slice id, as of the last check
}

func TestRandomHistoriesKeepTheGuarantees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &platform{machines: &recorder{}, seen: map[string]vm.VM{}, paid: map[string]time.Duration{}}
		p.model = model{now: epoch, quota: map[string]int{}, soldOut: map[string]bool{}, cfg: fakevm.Config{
			Group: vm.GroupConfig{
				Name: "test", MaxSlices: rapid.IntRange(1, 4).Draw(t, "max"), Zones: []string{"a", "b"},
				VMsPerSlice: rapid.IntRange(1, 3).Draw(t, "vms"),
			},
			BootDelay: seconds(0, 5).Draw(t, "boot delay"),
			InitDelay: seconds(0, 5).Draw(t, "init delay"),
			LateBy:    seconds(0, 9).Draw(t, "late by"),
			Addresses: []string{"10.0.0.1", "10.0.0.2"},
			Machines:  p.machines,
		}}
		m, err := fakevm.New(p.cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.Manager = m
		m.Tick(epoch)
		t.Repeat(map[string]func(*rapid.T){
			"create":            p.create,
			"tick":              p.tick,
			"tick back":         p.tickBack,
			"terminate":         p.terminate,
			"preempt":           p.preempt,
			"notice":            p.notice,
			"fail a VM":         p.failVM,
			"failure mode":      p.setMode,
			"quota":             p.setQuota,
			"stock":             p.setStock,
			"fail terminations": p.failTerminations,
			"hide":              p.hide,
			"lag":               p.setLag,
			"":                  p.check,
		})
	})
}

func seconds(from, to int) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.IntRange(from, to), func(n int) time.Duration { return time.Duration(n) * time.Second })
}

func (p *platform) create(t *rapid.T) {
	r := vm.Request{
		ID:   rapid.SampledFrom([]string{"", "", "x", "y", "z", "fake-slice-test-3"}).Draw(t, "id"),
		Zone: rapid.SampledFrom([]string{"", "a", "b", "b", "nowhere"}).Draw(t, "zone"),
	}
	id, want, hangs := p.request(r)
	if hangs {
		want = context.Canceled
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s, err := p.CreateSlice(&waited{ctx, cancel}, r)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Fatalf("creation: %v, want %v", err, want)
	}
	if err == nil && s.ID() != id {
		t.Fatalf("creation: %s, want %s", s.ID(), id)
	}
}

func (p *platform) tick(t *rapid.T) {
	now := p.now.Add(seconds(0, 8).Draw(t, "step"))
	p.moved(now)
	p.Tick(now)
}

func (p *platform) tickBack(t *rapid.T) {
	p.Tick(p.now.Add(-seconds(1, 100).Draw(t, "back")))
}

func (p *platform) terminate(t *rapid.T) {
	s, want := p.pick(t)
	err := s.Terminate(context.Background())
	if p.refuse > 0 {
		p.refuse--
		if err == nil {
			t.Fatal("the termination does not fail")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range want.vms {
		p.ends(v, vm.Terminated)
	}
}

func (p *platform) preempt(t *rapid.T) {
	s, want := p.pick(t)
	if err := p.Preempt(s.ID()); err != nil {
		t.Fatal(err)
	}
	for _, v := range want.vms {
		p.ends(v, vm.Preempted)
	}
}

func (p *platform) notice(t *rapid.T) {
	s, want := p.pick(t)
	grace := seconds(0, 6).Draw(t, "grace")
	if err := p.Notice(s.ID(), grace); err != nil {
		t.Fatal(err)
	}
	for _, v := range want.vms {
		p.model.notice(v, grace)
	}
}

func (p *platform) failVM(t *rapid.T) {
	s, want := p.pick(t)
	i := rapid.IntRange(0, len(want.vms)-1).Draw(t, "vm")
	if err := p.FailVM(s.Status().VMs[i].ID, "why"); err != nil {
		t.Fatal(err)
	}
	p.ends(want.vms[i], vm.Failed)
}

func (p *platform) setMode(t *rapid.T) {
	p.mode = rapid.SampledFrom([]fakevm.FailureMode{
		fakevm.None, fakevm.CreateFails, fakevm.QuotaExceeded, fakevm.Stockout, fakevm.CreateHangs, fakevm.CreatePartial,
		fakevm.BootStuck, fakevm.InitStuck,
	}).Draw(t, "mode")
	p.SetFailureMode(p.mode)
}

func (p *platform) setQuota(t *rapid.T) {
	zone, n := p.zone(t), rapid.IntRange(-1, 2).Draw(t, "quota")
	p.quota[zone] = n
	if err := p.SetQuota(zone, n); err != nil {
		t.Fatal(err)
	}
}

func (p *platform) setStock(t *rapid.T) {
	zone, has := p.zone(t), rapid.Bool().Draw(t, "stock")
	p.soldOut[zone] = !has
	if err := p.SetStock(zone, has); err != nil {
		t.Fatal(err)
	}
}

func (p *platform) failTerminations(t *rapid.T) {
	p.refuse = rapid.IntRange(0, 3).Draw(t, "terminations")
	p.FailTerminations(p.refuse)
}

func (p *platform) hide(t *rapid.T) {
	s, want := p.pick(t)
	want.hidden = rapid.Bool().Draw(t, "hidden")
	if err := p.Hide(s.ID(), want.hidden); err != nil {
		t.Fatal(err)
	}
}

func (p *platform) setLag(t *rapid.T) {
	p.lag = seconds(0, 10).Draw(t, "lag")
	p.SetListLag(p.lag)
}

func (p *platform) zone(t *rapid.T) string {
	return rapid.SampledFrom(p.cfg.Group.Zones).Draw(t, "zone")
}

// pick is a slice that was made, and what it should be like.
func (p *platform) pick(t *rapid.T) (vm.Slice, *modelSlice) {
	if len(p.slices) == 0 {
		t.Skip("there is no slice")
	}
	want := rapid.SampledFrom(p.slices).Draw(t, "slice")
	s, ok := p.Slice(want.id)
	if !ok {
		t.Fatalf("there is no slice %s", want.id)
	}
	return s, want
}

// check holds after every call.
func (p *platform) check(t *rapid.T) {
	all := map[string][]vm.State{}
	var live, made []string
	for _, s := range p.slices {
		states, lives := p.states(s, p.now)
		all[s.id] = states
		made = append(made, s.id)
		if lives {
			live = append(live, s.id)
		}
	}
	equal(t, "slices", made, ids(p.Slices()))
	equal(t, "live slices", live, ids(p.Live()))
	if len(live) > p.cfg.Group.MaxSlices {
		t.Fatalf("%d live slices of at most %d", len(live), p.cfg.Group.MaxSlices)
	}
	for _, s := range p.Slices() {
		equal(t, "states of "+s.ID(), all[s.ID()], states(s))
	}
	p.checkVMs(t)
	p.checkLists(t)
	p.checkBill(t)
	p.checkMachines(t)
}

// checkVMs checks that VMs move forward, at instants that do, and that no two that live have one id or address.
func (p *platform) checkVMs(t *rapid.T) {
	taken := map[string]bool{}
	for _, s := range p.Slices() {
		for _, v := range s.Status().VMs {
			was, known := p.seen[v.ID]
			if known && was.State.Terminal() && v != was {
				t.Fatalf("terminal VM changed from %+v to %+v", was, v)
			}
			if known && (!reachable(was.State, v.State) || v.ChangedAt.Before(was.ChangedAt)) {
				t.Fatalf("%+v became %+v", was, v)
			}
			if v.ChangedAt.Before(s.CreatedAt()) || v.ChangedAt.After(p.now) {
				t.Fatalf("%+v of a slice created at %v, at %v", v, s.CreatedAt(), p.now)
			}
			ready := s.CreatedAt().Add(p.cfg.BootDelay + p.cfg.InitDelay)
			if v.State == vm.Ready && !v.ChangedAt.Equal(ready) {
				t.Fatalf("%+v, want READY at %v", v, ready)
			}
			if (v.State == vm.Stopping) == v.LeavesAt.IsZero() || (v.State == vm.Failed) == (v.InitError == "") ||
				(v.State == vm.Initializing) == (v.InitPhase == "") || (v.Address == "") != (v.WorkerID == "") {
				t.Fatalf("%+v does not fit together", v)
			}
			p.seen[v.ID] = v
			if !v.State.Terminal() && v.Address != "" {
				if taken[v.Address] {
					t.Fatalf("%+v: the address is another live VM's too", v)
				}
				taken[v.Address] = true
			}
		}
	}
	if len(p.seen) != len(p.slices)*p.cfg.Group.VMsPerSlice {
		t.Fatalf("%d VM ids of %d slices", len(p.seen), len(p.slices))
	}
}

// checkLists checks that lists are right but for the lag and what is hidden.
func (p *platform) checkLists(t *rapid.T) {
	list, err := p.ListSlices(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	then := map[string][]vm.State{}
	for _, s := range p.slices {
		if states, live := p.states(s, p.now.Add(-p.lag)); live && !s.hidden {
			want = append(want, s.id)
			then[s.id] = states
		}
	}
	equal(t, "list", want, ids(list))
	for _, s := range list {
		equal(t, "states in the list of "+s.ID(), then[s.ID()], states(s))
	}
}

// checkBill checks that each slice costs what its VMs do, and no cost ever goes down.
func (p *platform) checkBill(t *rapid.T) {
	want := map[string]time.Duration{}
	for _, s := range p.slices {
		want[s.id] = p.bill(s)
	}
	bill := p.Bill()
	equal(t, "bill", want, bill)
	for id, was := range p.paid {
		if bill[id] < was {
			t.Fatalf("%s has cost %v, and now %v", id, was, bill[id])
		}
	}
	p.paid = bill
}

// checkMachines checks that each is told all that concerns it, once and in order, and nothing else.
func (p *platform) checkMachines(t *rapid.T) {
	want := map[string][]string{}
	for _, s := range p.slices {
		for i, v := range s.vms {
			if told := p.told(v); told != nil {
				want[p.seenID(s, i)] = told
			}
		}
	}
	got := p.machines.calls
	if got == nil {
		got = map[string][]string{}
	}
	equal(t, "calls", want, got)
	for _, w := range p.machines.wrong {
		t.Fatal(w)
	}
}

func (p *platform) seenID(s *modelSlice, i int) string {
	made, _ := p.Slice(s.id)
	return made.Status().VMs[i].ID
}

func equal(t *rapid.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

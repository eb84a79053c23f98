package state

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"iris/iris/vm"
)

// This file makes the random commands of a world that are about groups and slices.

func (w *world) setGroups() {
	if w.rarely("none") {
		w.apply(SetGroups{})
		return
	}
	var groups []Group
	for i := range rapid.IntRange(1, 2).Draw(w.t, "groups") {
		g := Group{
			GroupConfig: vm.GroupConfig{
				Name: fmt.Sprintf("g-%d", i), MaxSlices: rapid.IntRange(1, 3).Draw(w.t, "max"), Zones: []string{"z-0", "z-1"},
			},
			VMs: i + 1, Capacity: Resources{CPUMillis: 4000, MemoryBytes: 1 << 34}, Attributes: map[string]string{"pod": "p"},
			Pace: Pace{
				BackoffInitial: time.Second, BackoffMax: 8 * time.Second, QuotaTimeout: 5 * time.Second, ShortLived: 3 * time.Second,
				ScaleDownRate: 10,
			},
		}
		g.VMsPerSlice = g.VMs
		groups = append(groups, g)
	}
	w.apply(SetGroups{groups})
}

func (w *world) group(label string) string { return pick(w, label, "g-0", "g-0", "g-1") }

func (w *world) requestSlice() {
	group, before := w.group("group"), len(w.c.Slices())
	g := w.c.Group(group)
	may := g != nil && !g.Removed && g.slices < g.MaxSlices
	w.apply(RequestSlice{Group: group, Zone: pick(w, "zone", "z-0", "z-1"), Reason: "something waits"})
	if asked := len(w.c.Slices()) > before; asked != may {
		w.t.Fatalf("a slice of %s was asked for: %v, it may: %v\n%s", group, asked, may, w.c.Describe(epoch))
	}
}

// sliceSeen is what a platform could show of a slice next.
func (w *world) sliceSeen(id, group string, n int, state vm.State) ObserveSlice {
	seen := ObserveSlice{ID: id, Group: group, Zone: "z-0"}
	for i := range n {
		v := vm.VM{ID: fmt.Sprintf("%s-vm-%d", id, i), State: state, ChangedAt: w.now}
		if state != vm.Booting {
			v.WorkerID = "worker-" + v.ID
		}
		seen.VMs = append(seen.VMs, v)
	}
	return seen
}

func (w *world) observeSlice() {
	all := w.c.Slices()
	if len(all) == 0 || w.rarely("a stranger") {
		group := w.group("group")
		id := sliceID(group, int64(rapid.IntRange(0, 6).Draw(w.t, "number")))
		if w.c.Slice(id) == nil {
			w.apply(w.sliceSeen(id, group, 1, vm.Initializing))
		}
		return
	}
	s := pick(w, "slice", all...)
	n := max(len(s.VMs), map[string]int{"g-0": 1, "g-1": 2}[s.Group])
	seen := w.sliceSeen(s.ID, s.Group, n, pick(w, "state", vm.Booting, vm.Initializing, vm.Initializing, vm.Ready))
	if w.rarely("one ends") {
		seen.VMs[0].State = pick(w, "end", vm.Failed, vm.Preempted, vm.Terminated, vm.Stopping)
	}
	if !w.c.SliceNews(seen) {
		return
	}
	w.apply(seen)
	if w.c.SliceNews(seen) {
		w.t.Fatalf("%+v is news twice\n%s", seen, w.c.Describe(epoch))
	}
}

// sliceWorker has a worker of a slice come up, or come back.
func (w *world) sliceWorker() {
	if gone := w.c.goneSlices(); len(gone) > 0 && w.rarely("too late") {
		id := pick(w, "gone", gone...).ID
		w.apply(RegisterWorker{ID: "worker-" + id + "-vm-1", Incarnation: "1", Address: id + "-vm-1:1",
			Attributes: map[string]string{AttributeSlice: id}})
		return
	}
	all := w.c.Slices()
	if len(all) == 0 {
		return
	}
	s := pick(w, "slice", all...)
	if len(s.VMs) == 0 {
		return
	}
	v := pick(w, "vm", s.VMs...)
	cmd := RegisterWorker{
		ID: "worker-" + v.ID, Incarnation: "1", Address: v.ID + ":1", Capacity: Resources{CPUMillis: 4000, MemoryBytes: 1 << 34},
		Attributes: map[string]string{"pod": "p", AttributeSlice: s.ID},
	}
	if known := w.c.Worker(cmd.ID); known != nil {
		cmd.Incarnation = known.Incarnation
		if w.rarely("restarted") {
			cmd.Incarnation += "1"
		}
	}
	w.apply(cmd)
}

func (w *world) refuseSlice() {
	if all := w.c.Slices(); len(all) > 0 {
		why := pick(w, "why", RefusedQuota, RefusedStock, RefusedFailed, RefusedUnknown)
		w.apply(RefuseSlice{ID: pick(w, "slice", all...).ID, Why: why, Cause: "no"})
	}
}

func (w *world) stopSlice() {
	all := w.c.Slices()
	if len(all) == 0 {
		return
	}
	s, why := pick(w, "slice", all...), pick(w, "why", StopIdle, StopIdle, StopSurplus, StopFailed, StopUnhealthy, StopPreempted, StopOrphan)
	busy, before := s.Held() > 0, s.State
	w.apply(StopSlice{ID: s.ID, Why: why, Cause: "because"})
	if busy && before != vm.Stopping && why.needless() && s.State == vm.Stopping {
		w.t.Fatalf("%s runs something and is given back as needless\n%s", s.ID, w.c.Describe(epoch))
	}
}

func (w *world) endSlice() {
	if all := w.c.Slices(); len(all) > 0 {
		w.apply(EndSlice{ID: pick(w, "slice", all...).ID, Cause: "its platform does not have it"})
	}
}

// endFleet gives everything back.
func (w *world) endFleet() {
	w.apply(SetGroups{})
	for len(w.c.Slices()) > 0 {
		w.apply(EndSlice{ID: w.c.Slices()[0].ID, Cause: "the end"})
	}
	if left := w.c.Groups(); len(left) > 0 {
		w.t.Fatalf("%d groups are removed, have no slices, and are there\n%s", len(left), w.c.Describe(epoch))
	}
}

// verifyFleet: of a slice that is given back nothing lives, and the last events are kept.
func (w *world) verifyFleet(fail func(string, ...any)) {
	for _, s := range w.c.Slices() {
		for _, worker := range s.workers {
			for _, a := range worker.Held() {
				if s.State == vm.Stopping && !a.State.Terminal() {
					fail("%s goes on on %s, which is given back", a.UID, s.ID)
				}
			}
		}
	}
}

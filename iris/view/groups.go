package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Groups writes a table of scale groups, each with why it grew or did not. Wide adds columns and cuts nothing. Times of day
// are in UTC.
func Groups(w io.Writer, terminal Terminal, wide bool, now time.Time, fleet *pb.GetFleetResponse) error {
	t := table{columns: []column{
		{title: "GROUP", good: 16, least: 8}, {title: "KIND", drop: 6}, {title: "SLICES"}, {title: "STATES", drop: 5},
		{title: "DEMAND", drop: 4, right: true}, {title: "AVAILABILITY", least: 14}, {title: "WHY", whole: true},
	}}
	if wide {
		terminal.Width = 0
		t.columns = append(t.columns, column{title: "GREW", right: true}, column{title: "SHRANK", right: true}, column{title: "ZONES"},
			column{title: "FAILURE"})
	}
	for _, g := range fleet.Groups {
		row := []cell{
			text(g.Name), text(Kind(g)), text(slicesOf(fleet, g)), text(stateCounts(fleet, g)), text(fmt.Sprint(g.Demand)),
			{availabilityOf(g, now), states[Availability(g)]}, text(Growth(fleet, g)),
		}
		if wide {
			row = append(row, text(ago(g.LastScaleUpAt, now)), text(ago(g.LastScaleDownAt, now)), text(strings.Join(g.Zones, " ")),
				text(g.Failure))
		}
		t.add(row...)
	}
	return t.write(w, terminal)
}

// Kind is what a slice of a group is.
func Kind(g *pb.ScaleGroupStatus) string {
	machine := model.CPUText(g.Capacity.GetCpuMillis()) + "/" + model.BytesText(g.Capacity.GetMemoryBytes())
	switch {
	case g.Variant != "":
		return g.Variant + ", " + model.CountText(int(g.Machines), "machine")
	case g.Machines > 1:
		return fmt.Sprintf("%d machines of %s", g.Machines, machine)
	}
	return machine
}

// slicesOf is "1/3 of 0..4": those that are READY, all, and how many there may be.
func slicesOf(fleet *pb.GetFleetResponse, g *pb.ScaleGroupStatus) string {
	ready, all := 0, 0
	for _, s := range fleet.Slices {
		if s.Group == g.Name {
			all++
			if s.State == pb.VmState_VM_STATE_READY {
				ready++
			}
		}
	}
	return fmt.Sprintf("%d/%d of %d..%d", ready, all, g.MinSlices, g.MaxSlices)
}

// lifeOrder is the order in which slices go through their states.
var lifeOrder = []pb.VmState{
	pb.VmState_VM_STATE_REQUESTING, pb.VmState_VM_STATE_BOOTING, pb.VmState_VM_STATE_INITIALIZING, pb.VmState_VM_STATE_READY,
	pb.VmState_VM_STATE_UNHEALTHY, pb.VmState_VM_STATE_FAILED, pb.VmState_VM_STATE_PREEMPTED, pb.VmState_VM_STATE_STOPPING,
	pb.VmState_VM_STATE_TERMINATED, pb.VmState_VM_STATE_UNSPECIFIED,
}

// stateCounts is "1 BOOTING, 2 READY".
func stateCounts(fleet *pb.GetFleetResponse, g *pb.ScaleGroupStatus) string {
	counts := map[pb.VmState]int{}
	for _, s := range fleet.Slices {
		if s.Group == g.Name {
			counts[s.State]++
		}
	}
	var texts []string
	for _, s := range lifeOrder {
		if counts[s] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", counts[s], VMState(s)))
		}
	}
	return strings.Join(texts, ", ")
}

// Availability is whether a scale group takes demand, in one word; empty while nothing was decided about it.
func Availability(g *pb.ScaleGroupStatus) string {
	switch {
	case g.Removed:
		return "REMOVED"
	case g.Availability == pb.ScaleGroupStatus_AVAILABILITY_UNSPECIFIED:
		return ""
	}
	return availabilityWord(g.Availability)
}

// availabilityOf is a group's availability, until when it is so if that is not good, and the zones that are left out.
func availabilityOf(g *pb.ScaleGroupStatus, now time.Time) string {
	word := Availability(g)
	switch blocked := len(g.Blocked); {
	case word == "" || word == "REMOVED":
	case g.Availability == pb.ScaleGroupStatus_AVAILABILITY_BACKOFF && g.BackoffUntil != nil:
		word += fmt.Sprintf(" until %s (%s)", clock(g.BackoffUntil, now), model.CountText(int(g.Failures), "failure"))
	case g.Availability == pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED && blocked == 1:
		word += fmt.Sprintf(" %s until %s", g.Blocked[0].Zone, clock(g.Blocked[0].Until, now))
	case g.Availability == pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED && blocked > 1:
		first := slices.MinFunc(g.Blocked, func(a, b *pb.ScaleGroupStatus_Block) int {
			return a.Until.AsTime().Compare(b.Until.AsTime())
		})
		word += fmt.Sprintf(" %d zones until %s", blocked, clock(first.Until, now))
	case blocked == 1:
		word += ", but not in " + g.Blocked[0].Zone
	case blocked > 1:
		word += fmt.Sprintf(", but not in %d of %s", blocked, model.CountText(len(g.Zones), "zone"))
	}
	return clean(word)
}

// Growth is why a group grew, or did not.
func Growth(fleet *pb.GetFleetResponse, g *pb.ScaleGroupStatus) string {
	switch {
	case g.Text != "":
		return g.Text
	case fleet.EvaluatedAt == nil:
		return "the controller that leads has not decided about it yet"
	case g.Availability == pb.ScaleGroupStatus_AVAILABILITY_UNSPECIFIED:
		return "nothing is decided before its platform has said which slices it has"
	}
	return ""
}

package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Slices writes a table of slices, each with its machines below it. Wide adds columns and cuts nothing. Times of day are in
// UTC.
func Slices(w io.Writer, terminal Terminal, wide bool, now time.Time, slices []*pb.SliceStatus) error {
	t := table{columns: []column{
		{title: "SLICE", good: 24, least: 12}, {title: "STATE"}, {title: "FOR", drop: 4, right: true},
		{title: "AGE", drop: 6, right: true}, {title: "WHERE", good: 24, least: 8, drop: 5}, {title: "WORK", least: 8, drop: 1}, {title: "WHY", whole: true},
	}}
	if wide {
		terminal.Width = 0
		t.columns = append(t.columns, column{title: "GROUP"}, column{title: "WORKER"}, column{title: "ASKED FOR BECAUSE"})
	}
	add := func(row []cell, more ...string) {
		for _, s := range more {
			if wide {
				row = append(row, text(s))
			}
		}
		t.add(row...)
	}
	for _, s := range slices {
		add([]cell{
			text(s.SliceId), state(VMState(s.State)), text(between(s.Since, nil, now)), text(between(s.RequestedAt, nil, now)),
			text(s.Zone), text(workOf(s, now)), sliceText(s),
		}, s.Group, "", s.Reason)
		for _, m := range s.Machines {
			add([]cell{
				text("  " + m.MachineId), state(VMState(m.State)), text(between(m.ChangedAt, nil, now)), text(""),
				text(m.Address), workerOf(m), machineText(m, now),
			}, "", m.WorkerId, "")
		}
	}
	return t.write(w, terminal)
}

// workOf is what runs on a slice.
func workOf(s *pb.SliceStatus, now time.Time) string {
	switch {
	case s.Attempts > 0:
		return model.CountText(int(s.Attempts), "attempt")
	case s.IdleSince != nil:
		return "idle " + between(s.IdleSince, nil, now)
	}
	return ""
}

// workerOf is whether the worker of a machine is heard of. One that has not come up yet is not missed.
func workerOf(m *pb.SliceStatus_Machine) cell {
	switch {
	case m.WorkerLive:
		return cell{"live", green}
	case m.State == pb.VmState_VM_STATE_READY || m.State == pb.VmState_VM_STATE_UNHEALTHY:
		return cell{"missing", yellow}
	}
	return cell{}
}

// lack is why a slice is UNHEALTHY.
func lack(s *pb.SliceStatus) string {
	live := 0
	for _, m := range s.Machines {
		if m.State == pb.VmState_VM_STATE_STOPPING {
			return "its platform takes it away"
		}
		if m.WorkerLive {
			live++
		}
	}
	return fmt.Sprintf("%d of %s live", live, model.CountText(len(s.Machines), "worker"))
}

// sliceText is why a slice fails, goes or lacks something; of one that is still coming, why it was asked for.
func sliceText(s *pb.SliceStatus) cell {
	switch {
	case s.State == pb.VmState_VM_STATE_FAILED || s.State == pb.VmState_VM_STATE_PREEMPTED:
		return cell{clean(s.Cause), red}
	case s.Cause != "":
		return text(s.Cause)
	case s.State == pb.VmState_VM_STATE_UNHEALTHY:
		return cell{lack(s), yellow}
	case s.ReadyAt == nil:
		return text(s.Reason)
	}
	return cell{}
}

// machineText is what a machine is busy with, why it failed, and when it leaves.
func machineText(m *pb.SliceStatus_Machine, now time.Time) cell {
	var texts []string
	c := plain
	if m.InitPhase != "" {
		texts = append(texts, m.InitPhase)
	}
	if m.LeavesAt != nil {
		left := Duration(m.LeavesAt.AsTime().Sub(now))
		texts, c = append(texts, fmt.Sprintf("leaves at %s, in %s", clock(m.LeavesAt, now), left)), yellow
	}
	if m.InitError != "" {
		texts, c = append(texts, m.InitError), red
	}
	return cell{clean(strings.Join(texts, "; ")), c}
}

// SliceEvents writes a table of what happened to slices, the oldest first. Times are in UTC. Wide adds columns, the date
// among them, and cuts nothing.
func SliceEvents(w io.Writer, terminal Terminal, wide bool, now time.Time, events []*pb.SliceEvent) error {
	t := table{columns: []column{
		{title: "WHEN"}, {title: "SLICE", good: 24, least: 12}, {title: "WHAT"}, {title: "WHY", whole: true},
	}}
	if wide {
		terminal.Width = 0
		t.columns = append(t.columns, column{title: "GROUP"}, column{title: "AT"})
	}
	for _, e := range events {
		row := []cell{text(clock(e.At, now)), text(e.SliceId), state(SliceEventKind(e.Kind)), text(e.Text)}
		if wide {
			row = append(row, text(e.Group), text(e.At.AsTime().Format(time.RFC3339Nano)))
		}
		t.add(row...)
	}
	return t.write(w, terminal)
}

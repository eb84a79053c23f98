package view

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

func after(d time.Duration) *timestamppb.Timestamp { return before(-d) }

// fleet is one of each kind of standing, and of each kind of slice.
func fleet() *pb.GetFleetResponse {
	small := &pb.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30}
	return &pb.GetFleetResponse{
		EvaluatedAt: before(2 * time.Second),
		Groups: []*pb.ScaleGroupStatus{
			{
				Name: "cpu", Machines: 1, MinSlices: 1, MaxSlices: 4, BufferSlices: 1, Zones: []string{"us-1", "us-2", "us-3"}, Capacity: small,
				Demand: 2, Availability: pb.ScaleGroupStatus_AVAILABILITY_AVAILABLE, Text: "1 slice asked for: 3 tasks wait",
				LastScaleUpAt: before(time.Second), LastScaleDownAt: before(3 * time.Hour),
				Blocked: []*pb.ScaleGroupStatus_Block{{Zone: "us-1", Until: after(4 * time.Minute), Cause: "no machines in stock"}},
			},
			{
				Name: "tpu-big", Variant: "v5litepod-16", Machines: 4, MaxSlices: 8, Zones: []string{"us-1"}, Rank: 1, Demand: 1,
				Capacity:     &pb.Resources{CpuMillis: 96000, MemoryBytes: 512 << 30},
				Availability: pb.ScaleGroupStatus_AVAILABILITY_BACKOFF, Failures: 3, BackoffUntil: after(100 * time.Second),
				Failure:       "its workers did not come up within 10m0s of INITIALIZING: 3 of 4 registered; tpu-big-2-vm-3 is INITIALIZING (registration)",
				Text:          "in backoff until 12:01:40 after 3 failures: its workers did not come up within 10m0s of INITIALIZING: 3 of 4 registered",
				LastScaleUpAt: before(12 * time.Minute),
			},
			{
				Name: "one-zone", Machines: 1, MaxSlices: 2, Zones: []string{"us-1"}, Rank: 2, Capacity: small,
				Availability: pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED, Text: "quota exceeded in us-1 until 12:05:00",
				Blocked: []*pb.ScaleGroupStatus_Block{{Zone: "us-1", Until: after(5 * time.Minute), Cause: "quota exceeded"}},
			},
			{
				Name: "two-zones", Machines: 2, MaxSlices: 2, Zones: []string{"us-1", "us-2"}, Rank: 3, Capacity: small,
				Availability: pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED, Text: "quota exceeded in us-1 until 23:30:00; sold out \x1b in us-2",
				Blocked: []*pb.ScaleGroupStatus_Block{
					{Zone: "us-1", Until: after(13 * time.Hour), Cause: "quota exceeded"}, {Zone: "us-2", Until: after(12*time.Hour + time.Minute), Cause: "sold out \x1b"},
				},
			},
			{
				Name: "old", Machines: 1, MaxSlices: 2, Zones: []string{"us-1"}, Rank: 4, Capacity: small, Removed: true,
				Availability: pb.ScaleGroupStatus_AVAILABILITY_AT_MAX, Text: "not configured any more; 1 slice to go when idle",
			},
			{Name: "unheard", Machines: 1, MaxSlices: 1, Zones: []string{"us-1"}, Rank: 5, Capacity: small},
		},
		Slices: []*pb.SliceStatus{
			slice("cpu-7", "cpu", pb.VmState_VM_STATE_READY, 3*time.Hour, func(s *pb.SliceStatus) {
				s.Attempts, s.Reason = 2, "min_slices is 1"
				s.Machines = machines("cpu-7", 1, pb.VmState_VM_STATE_READY, true)
			}),
			slice("cpu-9", "cpu", pb.VmState_VM_STATE_REQUESTING, time.Second, func(s *pb.SliceStatus) {
				s.Zone, s.Reason, s.ReadyAt = "us-2", "3 tasks of job sweep wait", nil
			}),
			slice("tpu-big-3", "tpu-big", pb.VmState_VM_STATE_BOOTING, 50*time.Second, func(s *pb.SliceStatus) {
				s.Reason, s.ReadyAt = "the gang of job train-llama (4 tasks) waits", nil
				s.Machines = machines("tpu-big-3", 2, pb.VmState_VM_STATE_BOOTING, false)
				s.Machines[1].State, s.Machines[1].InitPhase = pb.VmState_VM_STATE_INITIALIZING, "registration"
			}),
			slice("tpu-big-4", "tpu-big", pb.VmState_VM_STATE_UNHEALTHY, time.Minute, func(s *pb.SliceStatus) {
				s.Machines = machines("tpu-big-4", 2, pb.VmState_VM_STATE_READY, true)
				s.Machines[1].WorkerLive = false
				s.IdleSince = before(90 * time.Second)
			}),
			slice("tpu-big-5", "tpu-big", pb.VmState_VM_STATE_UNHEALTHY, 5*time.Second, func(s *pb.SliceStatus) {
				s.Attempts = 1
				s.Machines = machines("tpu-big-5", 1, pb.VmState_VM_STATE_STOPPING, true)
				s.Machines[0].LeavesAt = after(25 * time.Second)
			}),
			slice("tpu-big-6", "tpu-big", pb.VmState_VM_STATE_FAILED, time.Second, func(s *pb.SliceStatus) {
				s.Cause = "tpu-big-6-vm-0 is FAILED: docker: no space left on device"
				s.Machines = machines("tpu-big-6", 1, pb.VmState_VM_STATE_FAILED, false)
				s.Machines[0].InitError = "docker: no space\nleft on device"
			}),
			slice("old-0", "old", pb.VmState_VM_STATE_STOPPING, 12*time.Second, func(s *pb.SliceStatus) {
				s.Cause = "group old is not configured any more"
			}),
		},
		Events: []*pb.SliceEvent{
			{At: before(15 * time.Hour), Kind: pb.SliceEventKind_SLICE_EVENT_KIND_PREEMPTED, Group: "tpu-big", SliceId: "tpu-big-0", Text: "tpu-big-0-vm-0 is PREEMPTED"},
			{At: before(3 * time.Hour), Kind: pb.SliceEventKind_SLICE_EVENT_KIND_READY, Group: "cpu", SliceId: "cpu-7", Text: "after 41.2s"},
			{At: before(time.Second), Kind: pb.SliceEventKind_SLICE_EVENT_KIND_REQUESTED, Group: "cpu", SliceId: "cpu-9", Text: "3 tasks of job sweep wait"},
		},
	}
}

// slice is one that was asked for a minute before it entered its state, and READY since.
func slice(id, group string, state pb.VmState, since time.Duration, change func(*pb.SliceStatus)) *pb.SliceStatus {
	s := &pb.SliceStatus{
		SliceId: id, Group: group, Zone: "us-1", State: state, Since: before(since), RequestedAt: before(since + time.Minute), ReadyAt: before(since),
	}
	change(s)
	return s
}

func machines(slice string, n int, state pb.VmState, live bool) (all []*pb.SliceStatus_Machine) {
	for i := range n {
		id := slice + "-vm-" + string(rune('0'+i))
		m := &pb.SliceStatus_Machine{MachineId: id, State: state, ChangedAt: before(40 * time.Second), WorkerLive: live}
		if state != pb.VmState_VM_STATE_BOOTING {
			m.Address, m.WorkerId = "10.0.0.1"+string(rune('0'+i))+":7071", "worker-"+id
		}
		all = append(all, m)
	}
	return all
}

// ofOne is the part of the fleet that belongs to the nth group.
func ofOne(n int) *pb.GetFleetResponse {
	all := fleet()
	one := &pb.GetFleetResponse{Groups: all.Groups[n : n+1], EvaluatedAt: all.EvaluatedAt}
	for _, s := range all.Slices {
		if s.Group == one.Groups[0].Name {
			one.Slices = append(one.Slices, s)
		}
	}
	for _, e := range all.Events {
		if e.Group == one.Groups[0].Name {
			one.Events = append(one.Events, e)
		}
	}
	return one
}

// Every value has a word, and all of them but those that say nothing have a colour if they are states.
func TestEveryValueOfAFleetHasAWord(t *testing.T) {
	oneWord := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)?$`)
	check := func(word, name string) {
		t.Helper()
		if !oneWord.MatchString(word) || !strings.HasSuffix(name, "_"+word) {
			t.Errorf("%s is shown as %q", name, word)
		}
		if _, known := states[word]; !known && word != "UNSPECIFIED" {
			t.Errorf("%s has no colour", word)
		}
	}
	for n, name := range pb.VmState_name {
		check(VMState(pb.VmState(n)), name)
	}
	for n, name := range pb.SliceEventKind_name {
		check(SliceEventKind(pb.SliceEventKind(n)), name)
	}
	for n, name := range pb.ScaleGroupStatus_Availability_name {
		check(availabilityWord(pb.ScaleGroupStatus_Availability(n)), name)
	}
}

// A state that were left out of their order would not be counted.
func TestEveryStateOfASliceIsCounted(t *testing.T) {
	g := &pb.ScaleGroupStatus{Name: "g"}
	for n, name := range pb.VmState_name {
		only := &pb.GetFleetResponse{Slices: []*pb.SliceStatus{{Group: "g", State: pb.VmState(n)}, {Group: "other", State: pb.VmState(n)}}}
		if got, want := stateCounts(only, g), "1 "+VMState(pb.VmState(n)); got != want {
			t.Errorf("a slice that is %s is counted as %q, want %q", name, got, want)
		}
	}
}

func TestAGroupThatWasNotDecidedAboutSaysSo(t *testing.T) {
	g := &pb.ScaleGroupStatus{Name: "g"}
	for want, fleet := range map[string]*pb.GetFleetResponse{
		"the controller that leads has not decided about it yet":              {},
		"nothing is decided before its platform has said which slices it has": {EvaluatedAt: before(0)},
	} {
		if got := growth(fleet, g); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := availabilityOf(g, now); got != "" {
			t.Errorf("it is %q", got)
		}
	}
}

// Whatever stands in the messages and however narrow the terminal, no line is wider, none has a control character, and
// nothing of why is lost.
func TestNothingOfWhyIsLostOnANarrowTerminal(t *testing.T) {
	content := rapid.StringOfN(rapid.RuneFrom([]rune("ab- \x1b\n\té漢")), 0, 80, -1)
	letters := func(s string) string { return strings.Join(strings.Fields(s), "") }
	rapid.Check(t, func(t *rapid.T) {
		terminal := Terminal{Width: rapid.IntRange(30, 200).Draw(t, "width"), Unicode: rapid.Bool().Draw(t, "unicode")}
		all, whys := fleet(), []string{}
		for _, s := range all.Slices {
			s.SliceId, s.Cause = "s"+content.Draw(t, "id"), content.Draw(t, "cause")+"!"
			whys = append(whys, s.Cause)
			for _, m := range s.Machines {
				m.MachineId, m.Address, m.InitError = "m"+content.Draw(t, "id"), content.Draw(t, "address"), content.Draw(t, "error")+"!"
				whys = append(whys, m.InitError)
			}
		}
		for _, g := range all.Groups {
			g.Name, g.Text = content.Draw(t, "name"), content.Draw(t, "text")+"!"
			whys = append(whys, g.Text)
		}
		out := &bytes.Buffer{}
		if err := Slices(out, terminal, false, now, all.Slices); err != nil {
			t.Fatal(err)
		}
		if err := Groups(out, terminal, false, now, all); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if n := columns(line); n > terminal.Width {
				t.Errorf("%d columns of %d: %q", n, terminal.Width, line)
			}
			if strings.ContainsAny(line, "\x1b\t") {
				t.Errorf("control characters in %q", line)
			}
		}
		whole := letters(out.String())
		for _, why := range whys {
			if want := letters(clean(why)); !strings.Contains(whole, want) {
				t.Errorf("%q is not in\n%s", why, out)
			}
		}
	})
}

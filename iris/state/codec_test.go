package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
	"iris/iris/vm"
)

// everyCommand has one of each, with every field set.
func everyCommand() []Command {
	reports := []Report{
		{UID: "j/0/0", State: Running}, {UID: "j/1/0", State: Failed, Error: "exit code 3", ExitCode: proto.Int32(3)},
		{UID: "j/2/0", State: Succeeded, ExitCode: proto.Int32(0)},
	}
	return []Command{
		SubmitJob{ID: "j", Spec: correctSpec(replicated(3), variable("A", "b"), timeout(time.Minute)), Trace: "00-1-2-01"},
		CancelJob{ID: "j", Reason: "stopped by ann"},
		RegisterWorker{
			ID: "w-0", Incarnation: "2", Address: "w-0:1", Capacity: Resources{CPUMillis: 4000, MemoryBytes: 1 << 34},
			Attributes: map[string]string{"pod": "p", "zone": "z"}, Reports: reports,
		},
		LoseWorker{ID: "w-0", Incarnation: "2", Cause: "no heartbeat for 60s"},
		Assign{Placements: []Placement{{"j", 0, "w-0"}, {"j", -1, "w-1"}}},
		Observe{Worker: "w-0", Incarnation: "2", Reports: reports},
		FailDispatch{UID: "j/0/0", Cause: "dispatch to w-0 failed 4 times: down"},
		Expire{Deadline: Deadline{At: epoch.Add(1), Kind: SchedulingDeadline, Job: "j"}, Reason: "too large"},
		Expire{Deadline: Deadline{At: forever, Kind: TimeoutDeadline, Job: "j", UID: "j/0/0"}},
		Expire{Deadline: Deadline{At: epoch, Kind: StrandedDeadline, Job: "j"}},
		Expire{Deadline: Deadline{Kind: BackoffDeadline, Job: "j"}},
		SetPolicy{Policy{NoWorkerGrace: 1, DispatchRounds: 2, DispatchPause: 3, TimeoutSlack: 4}},
		ForgetJobs{IDs: []string{"j", "k"}},
		ForgetWorkers{IDs: []string{"w-0", "w-1"}},
		SetGroups{[]Group{{
			GroupConfig: vm.GroupConfig{
				Name: "g", AcceleratorVariant: "v4-16", MinSlices: 1, MaxSlices: 3, BufferSlices: 2, Zones: []string{"a", "b"}, VMsPerSlice: 2,
			},
			VMs: 2, Capacity: Resources{CPUMillis: 4000, MemoryBytes: 1 << 34}, Attributes: map[string]string{"pod": "p"}, Rank: 7,
			Pace: Pace{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		}}},
		RequestSlice{Group: "g", Zone: "a", Reason: "a task waits"},
		RefuseSlice{ID: "g-0", Why: RefusedUnknown, Cause: "no answer"},
		ObserveSlice{ID: "g-0", Group: "g", Zone: "a", VMs: []vm.VM{{
			ID: "g-0-vm-0", State: vm.Stopping, Address: "h:1", WorkerID: "w", InitPhase: "registration", InitError: "why",
			ChangedAt: epoch.Add(1), LeavesAt: epoch.Add(2),
		}}},
		StopSlice{ID: "g-0", Why: StopOrphan, Cause: "nobody asked"},
		EndSlice{ID: "g-0", Cause: "it is not there"},
	}
}

func TestEveryCommandComesBackFromItsBytes(t *testing.T) {
	at := epoch.Add(1_000_000_001)
	gotAt, got, err := DecodeEntry(throughBytes(t, EncodeEntry(at, everyCommand())))
	if err != nil {
		t.Fatal(err)
	}
	if gotAt != at {
		t.Errorf("the instant %v came back as %v", at, gotAt)
	}
	if diff := cmp.Diff(everyCommand(), got, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	known := (&pb.Entry_Command{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	seen := map[string]bool{}
	for _, command := range everyCommand() {
		m := encodeCommand(command).ProtoReflect()
		seen[string(m.WhichOneof(known.Get(0).ContainingOneof()).Name())] = true
	}
	if len(seen) != known.Len() {
		t.Errorf("of %d kinds of commands %d were tried: %v", known.Len(), len(seen), seen)
	}
}

// throughBytes is a message as it comes back from a disk.
func throughBytes[T any, M interface {
	*T
	proto.Message
}](t interface{ Fatal(...any) }, m M) M {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back := M(new(T))
	if err := proto.Unmarshal(wire, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestOfAnInstantOnlyTheWallTimeCounts(t *testing.T) {
	now := time.Now().In(time.FixedZone("far away", 3*3600))
	c := New(policy)
	for _, cmd := range []Command{
		registration("w-0", "1"), SubmitJob{ID: "j", Spec: correctSpec(timeout(time.Second))},
		Assign{[]Placement{{"j", 0, "w-0"}}}, Observe{"w-0", "1", []Report{{UID: "j/0/0", State: Running}}},
	} {
		if _, err := c.Apply(now, cmd); err != nil {
			t.Fatal(err)
		}
	}
	a, want := c.Attempt("j/0/0"), time.Unix(0, now.UnixNano()).UTC()
	if a.Assigned != want || a.Started != want || c.Job("j").Submitted != want || c.Job("j").Started != want {
		t.Errorf("%#v has other instants than %#v", a, want)
	}
	at, ok := c.Next()
	if later := want.Add(time.Second + policy.TimeoutSlack); !ok || at != later || instant(nanos(at)) != at {
		t.Errorf("the timeout is over at %#v, not %#v", at, later)
	}
}

func TestTextsThatAreNotUTF8StayTheSameInLogAndCluster(t *testing.T) {
	direct, replayed := New(policy), New(policy)
	for _, cmd := range []Command{
		registration("w-0", "1"), registration("w-1", "1"),
		SubmitJob{ID: "j", Spec: correctSpec(retries(9), replicated(9))},
		Assign{[]Placement{{"j", 0, "w-0"}, {"j", 1, "w-0"}, {"j", 2, "w-0"}, {"j", 3, "w-1"}}},
		FailDispatch{UID: "j/0/0", Cause: "a\xff"},
		Observe{"w-0", "1", []Report{
			{UID: "j/1/0", State: Failed, Error: "b\xff"}, {UID: "j/2/0", State: Killed, Error: "c\xff"},
		}},
		LoseWorker{ID: "w-1", Incarnation: "1", Cause: "d\xff"},
		CancelJob{ID: "j", Reason: "e\xff"},
	} {
		if _, err := direct.Apply(epoch, cmd); err != nil {
			t.Fatal(err)
		}
		decoded, err := decodeCommand(throughBytes(t, encodeCommand(cmd)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := replayed.Apply(epoch, decoded); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(direct.Describe(epoch), replayed.Describe(epoch)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatThisVersionDoesNotKnowIsRefused(t *testing.T) {
	newField := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
	with := func(m proto.Message) { m.ProtoReflect().SetUnknown(newField) }
	first := encodeCommand
	submit := first(SubmitJob{ID: "j", Spec: correctSpec()})
	with(submit.GetSubmitJob().Spec) // of a newer client; kept as it is
	if _, err := decodeCommand(throughBytes(t, submit)); err != nil {
		t.Errorf("a spec with a new field: %v", err)
	}

	future := &pb.Entry_Command{}
	with(future)
	cancel := first(CancelJob{ID: "j"})
	with(cancel.GetCancelJob())
	assign := first(Assign{[]Placement{{"j", 0, "w-0"}}})
	with(assign.GetAssign().Placements[0])
	observe := first(Observe{"w-0", "1", []Report{{UID: "j/0/0"}}})
	with(observe.GetObserve().Reports[0])
	state := first(Observe{"w-0", "1", []Report{{UID: "j/0/0"}}})
	state.GetObserve().Reports[0].State = 256
	expire := first(Expire{Deadline: Deadline{Kind: 9, Job: "j"}})
	bare := &pb.Entry_Command{Kind: &pb.Entry_Command_SubmitJob{SubmitJob: &pb.Entry_SubmitJob{Id: "j"}}}
	const unknown = "which this version does not know; upgrade this controller"
	const newer = "has a field that this version does not know; upgrade this controller"
	for _, c := range []struct {
		command *pb.Entry_Command
		want    string
	}{
		{&pb.Entry_Command{}, "the log has a command that this version does not know; upgrade this controller"},
		{future, "the log has a command that this version does not know; upgrade this controller"},
		{cancel, "the log's command cancel_job " + newer},
		{assign, "the log's placement of task j/0 " + newer},
		{observe, `the log's report on attempt "j/0/0" ` + newer},
		{state, `the log reports attempt "j/0/0" in state 256, ` + unknown},
		{expire, `the log has a deadline of kind 9 of job "j", ` + unknown},
		{bare, `the log launches job "j" without a spec: it is damaged`},
	} {
		got, err := decodeCommand(throughBytes(t, c.command))
		if got != nil || err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, %v, not %s", c.command, got, err, c.want)
		}
		entry := &pb.Entry{Commands: []*pb.Entry_Command{first(CancelJob{ID: "j"}), c.command}}
		if _, commands, err := DecodeEntry(throughBytes(t, entry)); commands != nil || err == nil {
			t.Errorf("an entry with %v gives %v", c.command, commands)
		}
	}
	entry := EncodeEntry(epoch, nil)
	with(entry)
	if _, _, err := DecodeEntry(throughBytes(t, entry)); err == nil || err.Error() != "an entry of the log "+newer {
		t.Errorf("an entry with a new field: %v", err)
	}
}

// Bytes that were changed are refused or are other commands; nothing panics on them.
func TestNoDamageMakesDecodingPanic(t *testing.T) {
	intact := throughBytes(t, EncodeEntry(epoch, everyCommand()))
	rapid.Check(t, func(t *rapid.T) {
		wire, err := proto.Marshal(intact)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "bytes") {
			wire[rapid.IntRange(0, len(wire)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		e := &pb.Entry{}
		if err := proto.Unmarshal(wire, e); err != nil {
			return
		}
		_, commands, err := DecodeEntry(e)
		if (err == nil) == (commands == nil) {
			t.Errorf("%d commands, %v", len(commands), err)
		}
	})
}

func TestInstantsOfTheLog(t *testing.T) {
	for _, at := range []time.Time{
		{}, epoch, epoch.Add(1), forever, time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		if got := instant(nanos(at)); got != at {
			t.Errorf("%v came back as %v", at, got)
		}
	}
	if got := after(epoch, 1<<63-1); got != forever {
		t.Errorf("292 years after %v is %v", epoch, got)
	}
	c := New(policy)
	spec := correctSpec(timing(nil, &durationpb.Duration{Seconds: 315_576_000_000}))
	if _, err := c.Apply(epoch, SubmitJob{ID: "j", Spec: spec}); err != nil {
		t.Fatal(err)
	}
	if at, ok := c.Next(); !ok || at != forever {
		t.Errorf("a limit of 10 000 years ends at %v", at)
	}
}

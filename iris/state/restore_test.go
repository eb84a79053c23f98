package state

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// busy is a cluster that has something of everything: a gang with a member that is done, a retry, a child, a lost worker,
// failed dispatches and a pause, a timeout, a scheduling timeout, a grace, and what ended.
func busy(t *testing.T) *story {
	s := tell(t)
	s.workers("w-0", "w-1", "w-2")
	s.submit("gang", gang(2))
	s.run("gang/0@w-0", "gang/1@w-0")
	s.report("gang/1/0", Succeeded)
	s.submit("bounced", gang(2), retries(1))
	s.run("bounced/0@w-1", "bounced/1@w-1")
	s.report("bounced/0/0", Failed, "exit code 5")
	s.report("bounced/1/0", Killed)
	s.submit("child", below("gang"), schedulingTimeout(time.Hour))
	s.submit("over", retries(1))
	s.run("over/0@w-0")
	s.report("over/0/0", Failed, "exit code 3")
	s.now = s.now.Add(1001)
	s.run("over/0@w-0")
	s.report("over/0/1", Succeeded)
	s.submit("stopped")
	s.run("stopped/0@w-1")
	s.cancel("stopped", "stopped by ann")
	s.submit("many", replicated(5), preemptions(2), timeout(time.Minute), where(AttributeWorker, ne, "w-0"))
	s.run("many/1@w-1")
	s.assign("many/2@w-1", "many/3@w-2")
	s.failDispatch("many/2/0")
	s.assign("many/2@w-2")
	s.failDispatch("many/2/1")
	s.failDispatch("many/3/0")
	s.submit("stranded", where(AttributeWorker, eq, "w-2"))
	s.run("stranded/0@w-2")
	s.lose("w-2")
	return s
}

func TestARestoredClusterIsTheOneItWasTakenOf(t *testing.T) {
	s := busy(t)
	wire := throughBytes(t, s.c.Snapshot())
	c, err := Restore(wire)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		of   string
		view func(*Cluster) string
	}{
		{"description", func(c *Cluster) string { return c.Describe(s.start) }},
		{"queue", queueText},
		{"deadlines", func(c *Cluster) string { return deadlineText(c, nil) }},
	} {
		if diff := cmp.Diff(v.view(s.c), v.view(c)); diff != "" {
			t.Errorf("%s: %s", v.of, diff)
		}
	}
	if diff := difference(s.c, c); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.c.Snapshot(), c.Snapshot(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if a := c.Attempt("over/0/1"); a.Worker != "w-0" || a.Number() != 1 || a.Job() != c.Job("over") || a.Finished != s.now {
		t.Errorf("an attempt came back as %+v", a)
	}
	pause, avoided := c.Job("many").NotBefore(2), c.Job("many").Avoided(3)
	if pause != s.now.Add(policy.DispatchPause) || !slices.Equal(avoided, []string{"w-2"}) {
		t.Errorf("many/2 may begin at %v, many/3 avoids %v", pause, avoided)
	}
}

// A task that runs may still avoid a worker; once it waits again and no other worker is left, it avoids nobody.
func TestARoundOfDispatchOutlivesARestore(t *testing.T) {
	for name, edits := range map[string][]edit{"task": {retries(1)}, "gang": {retries(1), gang(1)}} {
		s := tell(t)
		s.workers("w-0", "w-1")
		s.submit("j", edits...)
		s.assign("j/0@w-0")
		s.failDispatch("j/0/0")
		s.run("j/0@w-1")
		restored, err := Restore(throughBytes(t, s.c.Snapshot()))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Cluster{s.c, restored} {
			s.c = c
			s.report("j/0/1", Failed, "exit code 1")
			if got := c.Job("j").Avoided(0); !slices.Equal(got, []string{"w-0"}) {
				t.Errorf("%s: it avoids %v while w-1 could run it", name, got)
			}
			s.lose("w-1")
			if got := c.Job("j").Avoided(0); got != nil {
				t.Errorf("%s: it avoids %v, the only one left", name, got)
			}
		}
	}
}

func TestASnapshotStaysWhatItWasWhileTheClusterGoesOn(t *testing.T) {
	s := busy(t)
	taken := s.c.Snapshot()
	before := proto.Clone(taken)
	restored, err := Restore(taken)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Cluster{s.c, restored} {
		s.c = c
		s.assign("many/3@w-1")
		s.failDispatch("many/3/1")
		s.report("gang/0/0", Failed, "exit code 4")
		s.apply(RegisterWorker{ID: "w-1", Incarnation: "2", Address: "w-1:2", Attributes: map[string]string{"pod": "q"}})
		s.pass(time.Hour)
		for _, j := range s.c.Jobs() {
			s.cancel(j.ID, "the end")
		}
		s.apply(ForgetWorkers{[]string{"w-2"}})
		s.apply(SetPolicy{Policy{DispatchRounds: 7}})
		s.apply(ForgetJobs{[]string{"over", "many", "child", "stranded"}})
		if diff := cmp.Diff(before, proto.Message(taken), protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
	}
	if _, err := Restore(taken); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestClustersOfOneSnapshotGoTheirOwnWays(t *testing.T) {
	s := tell(t)
	s.workers("a", "b", "c", "d", "e", "f")
	s.submit("j")
	for n, worker := range []string{"b", "c", "d"} {
		s.assign("j/0@" + worker)
		s.failDispatch(newUID("j", 0, n))
	}
	taken := throughBytes(t, s.c.Snapshot())
	var all []*Cluster
	for range 2 {
		c, err := Restore(taken)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	s.c = all[0]
	s.assign("j/0@a")
	s.failDispatch("j/0/3")
	if got := all[1].Job("j").Avoided(0); !slices.Equal(got, []string{"b", "c", "d"}) {
		t.Errorf("the other cluster avoids %v", got)
	}
}

// Each row damages the snapshot of the busy cluster in one place.
func TestADamagedSnapshotSaysWhereItIs(t *testing.T) {
	job := func(s *pb.Snapshot, id string) *pb.Snapshot_Job {
		for _, j := range s.Jobs {
			if j.Id == id {
				return j
			}
		}
		t.Fatalf("there is no job %s", id)
		return nil
	}
	newField := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
	const newer = "has a field that this version does not know; upgrade this controller"
	for _, c := range []struct {
		want   string
		damage func(*pb.Snapshot)
	}{
		{"the snapshot has no policy: it is damaged, or none", func(s *pb.Snapshot) { s.Policy = nil }},
		{"the snapshot " + newer, func(s *pb.Snapshot) { s.ProtoReflect().SetUnknown(newField) }},
		{"the snapshot " + newer, func(s *pb.Snapshot) { s.Policy.ProtoReflect().SetUnknown(newField) }},
		{`worker "w-0" in the snapshot ` + newer, func(s *pb.Snapshot) { s.Workers[0].ProtoReflect().SetUnknown(newField) }},
		{`worker "" in the snapshot has no id`, func(s *pb.Snapshot) { s.Workers[1].Id = "" }},
		{`worker "w-0" in the snapshot is there twice`, func(s *pb.Snapshot) { s.Workers[1] = s.Workers[0] }},
		{`worker "w-0" in the snapshot has the attribute worker=""`, func(s *pb.Snapshot) { s.Workers[0].Attributes = nil }},
		{"the snapshot contradicts itself: workers w-0 and w-1 are both live at w-0:1", func(s *pb.Snapshot) { s.Workers[1].Address = "w-0:1" }},
		{`job "gang" in the snapshot ` + newer, func(s *pb.Snapshot) { s.Jobs[0].ProtoReflect().SetUnknown(newField) }},
		{`job "a/b" in the snapshot has an id that no job can have`, func(s *pb.Snapshot) { s.Jobs[0].Id = "a/b" }},
		{`job "gang" in the snapshot is there twice`, func(s *pb.Snapshot) { s.Jobs[1] = s.Jobs[0] }},
		{`job "gang" in the snapshot has no spec`, func(s *pb.Snapshot) { s.Jobs[0].Spec = nil }},
		{`job "over" in the snapshot has 1000000000 tasks`, func(s *pb.Snapshot) { job(s, "over").Spec.Replicas = proto.Int32(1e9) }},
		{`job "over" in the snapshot has 0 tasks`, func(s *pb.Snapshot) { job(s, "over").Spec.Replicas = proto.Int32(0) }},
		{`job "child" in the snapshot has the parent "gang", which is not there before it`, func(s *pb.Snapshot) { s.Jobs = s.Jobs[1:] }},
		{`job "gang" in the snapshot has the number 7, and the next one is to have 7`, func(s *pb.Snapshot) { s.Jobs[0].Number = 7 }},
		{`job "bounced" in the snapshot has the number 0, and the one before it has 0`, func(s *pb.Snapshot) { s.Jobs[1].Number = 0 }},
		{`job "gang" in the snapshot is JOB_STATE_UNSPECIFIED, which no job can be`, func(s *pb.Snapshot) { s.Jobs[0].State = 0 }},
		{`job "gang" in the snapshot is 9, which no job can be`, func(s *pb.Snapshot) { s.Jobs[0].State = 9 }},
		{`job "many" in the snapshot has the name "child", and job "x" has it too`, func(s *pb.Snapshot) {
			job(s, "child").Id, job(s, "child").Spec.ParentJobId = "x", ""
			job(s, "many").Spec.Name = "child"
		}},
		{`job "many" in the snapshot has a task 1 after task 1, and 5 tasks`, func(s *pb.Snapshot) { job(s, "many").Tasks[1].Index = 1 }},
		{`job "many" in the snapshot has a task 5 after task 2, and 5 tasks`, func(s *pb.Snapshot) { job(s, "many").Tasks[2].Index = 5 }},
		{`job "many" in the snapshot has a task -1 after task -1, and 5 tasks`, func(s *pb.Snapshot) { job(s, "many").Tasks[0].Index = -1 }},
		{`job "gang" in the snapshot has a task 0 that ` + newer, func(s *pb.Snapshot) {
			s.Jobs[0].Tasks[0].ProtoReflect().SetUnknown(newField)
		}},
		{`job "gang" in the snapshot has a task 0 that is 10, which no task can be`, func(s *pb.Snapshot) { s.Jobs[0].Tasks[0].State = 10 }},
		{`job "many" in the snapshot has a task 2 that avoids the workers ["b" "a"] after 1 rounds of dispatch`, func(s *pb.Snapshot) {
			job(s, "many").Tasks[1].Avoidance.Workers = []string{"b", "a"}
		}},
		{`job "many" in the snapshot has a task 2 that ` + newer, func(s *pb.Snapshot) {
			job(s, "many").Tasks[1].Avoidance.ProtoReflect().SetUnknown(newField)
		}},
		{`job "over" in the snapshot has a task 0 that has an attempt 1 that ran at place 9 of 3`, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].Place = 9
		}},
		{`job "over" in the snapshot has a task 0 that has an attempt 1 that ` + newer, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].ProtoReflect().SetUnknown(newField)
		}},
		{`job "over" in the snapshot has a task 0 that has an attempt 1 that is TASK_STATE_PENDING, which no attempt can be`,
			func(s *pb.Snapshot) { job(s, "over").Tasks[0].Attempts[1].State = pb.TaskState_TASK_STATE_PENDING }},
		{`job "gang" in the snapshot has a task 0 that has an attempt 0 that takes capacity of worker "w-0", which is not there`,
			func(s *pb.Snapshot) { s.Workers = s.Workers[1:] }},
		{`the snapshot contradicts itself: attempt over/0/1 is RUNNING and number 1 of 2, the task is SUCCEEDED`, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].State = pb.TaskState_TASK_STATE_RUNNING
		}},
		{`the snapshot contradicts itself: attempt gang/0/0 of incarnation 1 takes capacity of w-0, which is incarnation 7`,
			func(s *pb.Snapshot) { s.Workers[0].Incarnation = "7" }},
	} {
		taken := busy(t).c.Snapshot()
		damaged := proto.Clone(taken).(*pb.Snapshot)
		c.damage(damaged)
		got, err := Restore(damaged)
		if got != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v\nnot\n%s", err, c.want)
		}
	}
	if _, err := Restore(nil); err == nil {
		t.Error("no snapshot was restored")
	}
}

// TestNoDamageMakesRestorePanic changes snapshots of random clusters anywhere, as a value of a field or as a byte. Such
// a snapshot is refused, or is one of a cluster that lives on with its books in order.
func TestNoDamageMakesRestorePanic(t *testing.T) {
	refused, restored := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		actions := w.actions()
		names := slices.Sorted(maps.Keys(actions))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			actions[pick(w, "action", names...)](t)
		}
		damaged := proto.Clone(w.c.Snapshot()).(*pb.Snapshot)
		if rapid.Bool().Draw(t, "bytes") {
			wire := []byte(snapshotText(t, w.c))
			for range rapid.IntRange(1, 3).Draw(t, "bytes") {
				wire[rapid.IntRange(0, len(wire)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			damaged = &pb.Snapshot{}
			if err := proto.Unmarshal(wire, damaged); err != nil {
				t.Skip("not even a message")
			}
		} else {
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				damage(t, damaged.ProtoReflect())
			}
		}
		c, err := Restore(damaged)
		if err != nil {
			refused++
			return
		}
		restored++
		end(t, c, w.now)
	})
	t.Logf("%d refused, %d restored", refused, restored)
	if refused == 0 || restored == 0 {
		t.Error("there was damage of one kind only")
	}
}

// damage changes one field of the message or of one somewhere in it.
func damage(t *rapid.T, m protoreflect.Message) {
	var inner []protoreflect.Message
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				inner = append(inner, v.List().Get(i).Message())
			}
		default:
			inner = append(inner, v.Message())
		}
		return true
	})
	if n := rapid.IntRange(0, 3*len(inner)).Draw(t, "message"); n > 0 {
		damage(t, inner[(n-1)%len(inner)])
		return
	}
	fields := m.Descriptor().Fields()
	f := fields.Get(rapid.IntRange(0, fields.Len()-1).Draw(t, "field"))
	n := rapid.OneOf(rapid.Int64Range(-1, 12), rapid.Int64()).Draw(t, "value")
	switch {
	case f.IsMap() || f.Message() != nil && !f.IsList():
		m.Clear(f)
	case f.IsList():
		list := m.Mutable(f).List()
		if list.Len() == 0 {
			return
		}
		i := rapid.IntRange(0, list.Len()-1).Draw(t, "element")
		if rapid.Bool().Draw(t, "again") {
			list.Append(list.Get(i))
		} else {
			list.Set(i, list.Get(list.Len()-1))
			list.Truncate(list.Len() - 1)
		}
	default:
		m.Set(f, map[protoreflect.Kind]func() protoreflect.Value{
			protoreflect.StringKind: func() protoreflect.Value {
				return protoreflect.ValueOfString(rapid.SampledFrom([]string{"", "j-0", "w-0", "a", "x"}).Draw(t, "text"))
			},
			protoreflect.BoolKind:     func() protoreflect.Value { return protoreflect.ValueOfBool(n%2 == 0) },
			protoreflect.EnumKind:     func() protoreflect.Value { return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)) },
			protoreflect.Int32Kind:    func() protoreflect.Value { return protoreflect.ValueOfInt32(int32(n)) },
			protoreflect.Int64Kind:    func() protoreflect.Value { return protoreflect.ValueOfInt64(n) },
			protoreflect.Uint32Kind:   func() protoreflect.Value { return protoreflect.ValueOfUint32(uint32(n)) },
			protoreflect.Uint64Kind:   func() protoreflect.Value { return protoreflect.ValueOfUint64(uint64(n)) },
			protoreflect.Sfixed64Kind: func() protoreflect.Value { return protoreflect.ValueOfInt64(n) },
		}[f.Kind()]())
	}
}

// end has everything end that a cluster may still do.
func end(t *rapid.T, c *Cluster, now time.Time) {
	apply := func(cmd Command) {
		if _, err := c.Apply(now, cmd); err != nil {
			t.Fatalf("%+v: %v", cmd, err)
		}
		if err := c.checkBooks(); err != nil {
			t.Fatalf("%+v: %v\n%s", cmd, err, c.Describe(epoch))
		}
	}
	c.Outstanding()
	for _, due := range c.Due(forever) {
		apply(Expire{Deadline: due})
	}
	for _, w := range c.Workers() {
		apply(LoseWorker{ID: w.ID, Incarnation: w.Incarnation})
	}
	for _, j := range c.Jobs() {
		apply(CancelJob{ID: j.ID})
	}
	for _, cmd := range c.Expired(forever, Retention{Age: 1, WorkerAge: 1}) {
		apply(cmd)
	}
}

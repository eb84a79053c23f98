package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	pb "iris/iris/proto"
)

// busy is a cluster that has something of everything: a gang with a member that is done, another that bounced, a retry, a
// child, a lost worker, failed dispatches and a pause, a timeout, a scheduling timeout, a grace, and what ended.
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
	a := c.Attempt("over/0/1")
	if a.Worker != "w-0" || a.Number() != 1 || a.Job() != c.Job("over") || a.Finished != s.now {
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
	written := make(chan error, 1)
	go func() { // the race detector sees it if the cluster changes what is in the snapshot
		_, err := proto.Marshal(taken)
		written <- err
	}()
	restored, err := Restore(taken)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Cluster{s.c, restored} {
		s.c = c
		s.assign("many/3@w-1")
		s.failDispatch("many/3/1")
		s.report("gang/0/0", Failed, "exit code 4")
		s.apply(RegisterWorker{ID: "w-1", Incarnation: "2", Address: "w-1:2"})
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
	if err := <-written; err != nil {
		t.Error(err)
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
		s.failDispatch(plainUID("j", 0, n))
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
	const contradiction = "the snapshot contradicts itself: "
	in := func(job string) string { return fmt.Sprintf("job %q in the snapshot ", job) }
	over := in("over") + "has a task 0 that "
	newField := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
	const newer = "has a field that this version does not know; upgrade this controller"
	for _, c := range []struct {
		want   string
		damage func(*pb.Snapshot)
	}{
		{"the snapshot has no policy: it is damaged, or none", func(s *pb.Snapshot) { s.Policy = nil }},
		{"the snapshot " + newer, func(s *pb.Snapshot) { s.ProtoReflect().SetUnknown(newField) }},
		{"the snapshot " + newer, func(s *pb.Snapshot) { s.Policy.ProtoReflect().SetUnknown(newField) }},
		{`worker "w-0" in the snapshot ` + newer, func(s *pb.Snapshot) {
			s.Workers[0].ProtoReflect().SetUnknown(newField)
		}},
		{`worker "" in the snapshot has no id`, func(s *pb.Snapshot) { s.Workers[1].Id = "" }},
		{`worker "w-0" in the snapshot is there twice`, func(s *pb.Snapshot) { s.Workers[1] = s.Workers[0] }},
		{`worker "w-0" in the snapshot has the attribute worker=""`, func(s *pb.Snapshot) {
			s.Workers[0].Attributes = nil
		}},
		{contradiction + "workers w-0 and w-1 are both live at w-0:1", func(s *pb.Snapshot) {
			s.Workers[1].Address = "w-0:1"
		}},
		{`job "gang" in the snapshot ` + newer, func(s *pb.Snapshot) { s.Jobs[0].ProtoReflect().SetUnknown(newField) }},
		{`job "a/b" in the snapshot has an id that no job can have`, func(s *pb.Snapshot) { s.Jobs[0].Id = "a/b" }},
		{`job "gang" in the snapshot is there twice`, func(s *pb.Snapshot) { s.Jobs[1] = s.Jobs[0] }},
		{`job "gang" in the snapshot has no spec`, func(s *pb.Snapshot) { s.Jobs[0].Spec = nil }},
		{`job "over" in the snapshot has 1000000000 tasks`, func(s *pb.Snapshot) {
			job(s, "over").Spec.Replicas = proto.Int32(1e9)
		}},
		{`job "over" in the snapshot has 0 tasks`, func(s *pb.Snapshot) {
			job(s, "over").Spec.Replicas = proto.Int32(0)
		}},
		{`job "child" in the snapshot has the parent "gang", which is not there before it`, func(s *pb.Snapshot) {
			s.Jobs = s.Jobs[1:]
		}},
		{`job "gang" in the snapshot has the number 7, and the next one is to have 7`, func(s *pb.Snapshot) {
			s.Jobs[0].Number = 7
		}},
		{`job "bounced" in the snapshot has the number 0, and the one before it has 0`, func(s *pb.Snapshot) {
			s.Jobs[1].Number = 0
		}},
		{`job "gang" in the snapshot is JOB_STATE_UNSPECIFIED, which no job can be`, func(s *pb.Snapshot) {
			s.Jobs[0].State = 0
		}},
		{`job "gang" in the snapshot is 9, which no job can be`, func(s *pb.Snapshot) { s.Jobs[0].State = 9 }},
		{`job "many" in the snapshot has the name "child", and job "x" has it too`, func(s *pb.Snapshot) {
			job(s, "child").Id, job(s, "child").Spec.ParentJobId = "x", ""
			job(s, "many").Spec.Name = "child"
		}},
		{`job "many" in the snapshot has a task 1 after task 1, and 5 tasks`, func(s *pb.Snapshot) {
			job(s, "many").Tasks[1].Index = 1
		}},
		{`job "many" in the snapshot has a task 5 after task 2, and 5 tasks`, func(s *pb.Snapshot) {
			job(s, "many").Tasks[2].Index = 5
		}},
		{`job "many" in the snapshot has a task -1 after task -1, and 5 tasks`, func(s *pb.Snapshot) {
			job(s, "many").Tasks[0].Index = -1
		}},
		{in("gang") + `has a task 0 that ` + newer, func(s *pb.Snapshot) {
			s.Jobs[0].Tasks[0].ProtoReflect().SetUnknown(newField)
		}},
		{in("gang") + `has a task 0 that is 10, which no task can be`, func(s *pb.Snapshot) {
			s.Jobs[0].Tasks[0].State = 10
		}},
		{in("many") + `has a task 2 that avoids the workers ["b" "a"] after 1 rounds of dispatch`, func(s *pb.Snapshot) {
			job(s, "many").Tasks[1].Avoidance.Workers = []string{"b", "a"}
		}},
		{in("many") + `has a task 2 that ` + newer, func(s *pb.Snapshot) {
			job(s, "many").Tasks[1].Avoidance.ProtoReflect().SetUnknown(newField)
		}},
		{over + `has an attempt 1 that ran at place 9 of 3`, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].Place = 9
		}},
		{over + `has an attempt 1 that ` + newer, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].ProtoReflect().SetUnknown(newField)
		}},
		{over + `has an attempt 1 that is TASK_STATE_PENDING, which no attempt can be`,
			func(s *pb.Snapshot) { job(s, "over").Tasks[0].Attempts[1].State = pb.TaskState_TASK_STATE_PENDING }},
		{in("gang") + `has a task 0 that has an attempt 0 that takes capacity of worker "w-0", which is not there`,
			func(s *pb.Snapshot) { s.Workers = s.Workers[1:] }},
		{contradiction + `attempt over/0/1 is RUNNING and number 1 of 2, the task is SUCCEEDED`, func(s *pb.Snapshot) {
			job(s, "over").Tasks[0].Attempts[1].State = pb.TaskState_TASK_STATE_RUNNING
		}},
		{contradiction + `attempt gang/0/0 of incarnation 1 takes capacity of w-0, which is incarnation 7`,
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

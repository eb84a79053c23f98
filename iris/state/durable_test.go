package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"
)

// This file verifies that a world survives as bytes, whole and as a log, and that what is forgotten is not missed.

// follow applies a line of the log, as it comes back from a disk, to the follower: the same comes of it, byte for byte,
// however often the cluster itself was restored meanwhile.
func (w *world) follow(cmd Command, outcome string) {
	at, commands, err := DecodeEntry(throughBytes(w.t, EncodeEntry(w.now, []Command{cmd})))
	if err != nil {
		w.t.Fatalf("%+v: %v", cmd, err)
	}
	effects, err := w.follower.Apply(at, commands[0])
	if got := fmt.Sprint(effectTexts(effects), err); got != outcome {
		w.t.Fatalf("%+v gave %s, and with the follower %s", cmd, outcome, got)
	}
	w.same("the follower", w.follower)
}

// restore goes on with what a snapshot of the cluster, written down and read back, becomes: with another leader, whose
// clock may be slower.
func (w *world) restore(slower time.Duration) {
	w.now = w.now.Add(-slower)
	restored, err := Restore(throughBytes(w.t, w.c.Snapshot()))
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.c.Describe(epoch))
	}
	w.same("the restored cluster", restored)
	if diff := difference(w.c, restored); diff != "" {
		w.t.Fatalf("the restored cluster is another:%s\n%s", diff, w.c.Describe(epoch))
	}
	for _, due := range restored.Due(w.now) {
		if due.Kind != BackoffDeadline { // pauses that were over; nothing is decided by them
			w.t.Fatalf("%+v was answered and is due again\n%s", due, w.c.Describe(epoch))
		}
	}
	w.c = restored
}

// same expects another cluster to be equal to this one in all that can be seen of it, and in its snapshot.
func (w *world) same(what string, other *Cluster) {
	w.t.Helper()
	for _, v := range []struct {
		of   string
		view func(*Cluster) string
	}{
		{"description", func(c *Cluster) string { return c.Describe(epoch) }},
		{"queue", queueText},
		{"outstanding effects", func(c *Cluster) string { return fmt.Sprint(effectTexts(c.Outstanding())) }},
		{"proposals to forget", func(c *Cluster) string {
			return fmt.Sprint(c.Expired(w.now.Add(time.Hour), Retention{Jobs: 1, WorkerAge: time.Minute}))
		}},
	} {
		if got, want := v.view(other), v.view(w.c); got != want {
			w.t.Fatalf("the %s of %s is\n%s\nnot\n%s\n%s", v.of, what, got, want, w.c.Describe(epoch))
		}
	}
	if snapshotText(w.t, other) != snapshotText(w.t, w.c) {
		diff := cmp.Diff(w.c.Snapshot(), other.Snapshot(), protocmp.Transform())
		w.t.Fatalf("the snapshot of %s is another:%s\n%s", what, diff, w.c.Describe(epoch))
	}
	if got, want := deadlineText(other, nil), deadlineText(w.c, w.due); got != want {
		w.t.Fatalf("the deadlines of %s are\n%s\nnot\n%s\n%s", what, got, want, w.c.Describe(epoch))
	}
}

// difference is what two clusters do not have in common, field by field. Left out is what says the same in several
// ways: lists that may hold what has left them, and deadlines (see queueText and deadlineText).
func difference(a, b *Cluster) string {
	return cmp.Diff(a, b, protocmp.Transform(), cmpopts.EquateEmpty(),
		cmp.AllowUnexported(Cluster{}, Job{}, Task{}, Attempt{}, Worker{}, avoidance{}, fleet{}, Slice{}, ScaleGroup{}),
		cmpopts.IgnoreFields(Cluster{}, "queue", "times", "sweepAt", "effects", "found", "watch"),
		cmpopts.IgnoreFields(Job{}, "queued", "waiting", "avoiding"),
		cmpopts.IgnoreFields(Attempt{}, "timeout"),
		cmp.Transformer("avoidance", func(a *avoidance) avoidance {
			if a == nil {
				return avoidance{} // it keeps the task from nothing
			}
			return *a
		}))
}

// queueText are all waiting tasks in their order. It does not tidy up the queue, as [Cluster.Queue] does: a follower
// never asks for it.
func queueText(c *Cluster) string {
	var b strings.Builder
	for _, j := range c.queue {
		if j.State.Terminal() || j.Count(Pending) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:", j.ID)
		for _, task := range j.waiting {
			if j.Tasks[task].State == Pending {
				fmt.Fprintf(&b, " %d", task)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// deadlineText are all deadlines at which something would be decided, in their order, given those that were taken out
// and are being answered.
func deadlineText(c *Cluster, due []Deadline) string {
	standing := slices.DeleteFunc(slices.Concat(c.times, due), func(d Deadline) bool {
		return d.Kind == BackoffDeadline || !c.pending(d)
	})
	slices.SortFunc(standing, compareDeadlines)
	return fmt.Sprint(slices.Compact(standing)) // a grace that ended and began anew within an instant stands twice
}

func snapshotText(t interface{ Fatal(...any) }, c *Cluster) string {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	return string(wire)
}

func (w *world) setPolicy() {
	w.apply(SetPolicy{Policy{
		NoWorkerGrace: w.seconds("grace", 1, 9), DispatchRounds: rapid.IntRange(1, 3).Draw(w.t, "rounds"),
		DispatchPause: w.seconds("pause", 1, 5), TimeoutSlack: w.seconds("slack", 0, 2),
	}})
}

// forget asks for anything to be forgotten, in any order. What somebody may still need stays.
func (w *world) forget() {
	if w.rarely("workers") {
		var cmd ForgetWorkers
		for range rapid.IntRange(1, 3).Draw(w.t, "ids") {
			cmd.IDs = append(cmd.IDs, fmt.Sprintf("w-%d", rapid.IntRange(0, 4).Draw(w.t, "worker")))
		}
		w.apply(cmd)
		return
	}
	var cmd ForgetJobs
	for range rapid.IntRange(1, 5).Draw(w.t, "ids") {
		cmd.IDs = append(cmd.IDs, w.jobID("job"))
	}
	w.apply(cmd)
}

// retain has the cluster itself say what is to be forgotten: then it is.
func (w *world) retain() {
	jobs := rapid.IntRange(0, 2).Draw(w.t, "jobs")
	keep := Retention{Jobs: jobs, Age: MinAge, WorkerAge: w.seconds("worker age", 0, 9)}
	for _, cmd := range w.c.Expired(w.now, keep) {
		w.apply(cmd)
	}
	if again := w.c.Expired(w.now, keep); again != nil {
		w.t.Fatalf("%v was forgotten and is to be forgotten again\n%s", again, w.c.Describe(epoch))
	}
}

// verifyForgotten: what an outsider would miss is not forgotten, and what was asked for and nobody would miss is. before
// has the jobs and workers before the command.
func (w *world) verifyForgotten(cmd Command, before picture, fail func(string, ...any)) {
	asked := map[string]bool{}
	switch cmd := cmd.(type) {
	case ForgetJobs:
		for _, id := range cmd.IDs {
			asked[id] = true
		}
	case ForgetWorkers:
		for _, id := range cmd.IDs {
			asked[id] = true
		}
	}
	for id, needed := range before {
		there := w.c.Job(id) != nil || w.c.Worker(id) != nil
		if gone := asked[id] && !needed(asked); gone == there {
			fail("%s was asked to be forgotten: %v, is needed: %v, is there: %v", id, asked[id], needed(asked), there)
		}
	}
}

// A picture tells of each job and worker whether it is needed when those that are asked for are to be forgotten.
type picture map[string]func(asked map[string]bool) bool

// needs is who needs what now: counted one by one from what is visible outside.
func (w *world) needs() picture {
	all := picture{}
	for _, worker := range w.c.Workers() {
		needed := !worker.Lost || len(worker.Held()) > 0
		all[worker.ID] = func(map[string]bool) bool { return needed }
	}
	jobs := slices.Clone(w.c.Jobs())
	slices.Reverse(jobs) // children before their parents
	for _, j := range jobs {
		needed := false
		for up := j; up != nil; up = w.c.Job(up.Spec.ParentJobId) {
			needed = needed || !up.State.Terminal()
		}
		for i := range j.Tasks {
			needed = needed || slices.ContainsFunc(j.Tasks[i].Attempts, func(a *Attempt) bool { return !a.Released })
		}
		var children []string
		for _, child := range jobs {
			if child.Spec.ParentJobId == j.ID {
				children = append(children, child.ID)
			}
		}
		all[j.ID] = func(asked map[string]bool) bool {
			return needed || slices.ContainsFunc(children, func(child string) bool {
				return !asked[child] || all[child](asked)
			})
		}
	}
	return all
}

// forgetAll forgets everything that is over, once it is old enough by any clock.
func (w *world) forgetAll() {
	w.now = w.now.Add(time.Hour)
	for keep := (Retention{Age: MinAge, WorkerAge: 1}); ; {
		commands := w.c.Expired(w.now, keep)
		if commands == nil {
			break
		}
		for _, cmd := range commands {
			w.apply(cmd)
		}
	}
	for id, needed := range w.needs() {
		if !needed(map[string]bool{}) {
			w.t.Fatalf("%s is not needed and still there\n%s", id, w.c.Describe(epoch))
		}
	}
}

package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// This file makes the random commands of a world.

func (w *world) seconds(label string, from, to int) time.Duration {
	return time.Duration(rapid.IntRange(from, to).Draw(w.t, label)) * time.Second
}

func pick[T any](w *world, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

func (w *world) often(label string) bool  { return rapid.IntRange(0, 3).Draw(w.t, label) > 0 }
func (w *world) rarely(label string) bool { return rapid.IntRange(0, 7).Draw(w.t, label) == 7 }

func (w *world) jobID(label string) string {
	return fmt.Sprintf("j-%d", rapid.IntRange(0, 6).Draw(w.t, label))
}

func (w *world) submit() {
	id := w.jobID("job")
	if known := w.c.Job(id); known != nil && w.often("the same again") {
		w.apply(SubmitJob{ID: id, Spec: proto.Clone(known.Spec).(*pb.JobSpec)})
		return
	}
	budget := func(label string) int32 { return rapid.Int32Range(0, 2).Draw(w.t, label) }
	spec := correctSpec(
		named(pick(w, "name", "a", "b", id, id, id)),
		needing(pick[int64](w, "cpu", 1000, 1000, 2000, 4000, 9000), 1<<30),
		replicated(rapid.Int32Range(1, 4).Draw(w.t, "replicas")),
		budgets(budget("failures"), budget("preemptions"), budget("task failures")),
		banded(rapid.Int32Range(0, 3).Draw(w.t, "band")),
	)
	if w.rarely("default budgets") {
		spec.MaxRetriesFailure, spec.MaxRetriesPreemption, spec.MaxTaskFailures = nil, nil, nil
	}
	switch rapid.IntRange(0, 5).Draw(w.t, "kind") {
	case 0, 1, 2:
		grouped(pick(w, "group", "pod", "worker", "rack"))(spec)
	case 3:
		where("pod", pick(w, "op", eq, ne), "p")(spec)
	case 4:
		spec.Exclusive = true
	}
	if w.rarely("timeout") || w.rarely("other timeout") {
		timeout(w.seconds("timeout", 1, 9))(spec)
	}
	if w.rarely("scheduling timeout") || w.rarely("other scheduling timeout") {
		schedulingTimeout(w.seconds("scheduling timeout", 1, 20))(spec)
	}
	if w.rarely("workspace") {
		bundled(strings.Repeat(pick(w, "sum", "a", "b"), 64))(spec)
	}
	if w.rarely("child") || w.rarely("other child") {
		spec.ParentJobId = w.jobID("parent")
	}
	if err := Validate(id, spec); err != nil {
		w.t.Fatal(err)
	}
	w.apply(SubmitJob{ID: id, Spec: spec})
}

// registration is what worker i says in its nth incarnation: capacity and attributes follow from both.
func (w *world) registration(i, n int) RegisterWorker {
	cmd := registration(fmt.Sprintf("w-%d", i), fmt.Sprint(n))
	cmd.Capacity.CPUMillis = []int64{4000, 2000, 8000}[(i+n)%3]
	cmd.Attributes = map[string]string{"pod": []string{"p", "p", "q"}[(i+n)%3]}
	if n%5 == 4 {
		cmd.Attributes = nil
	}
	return cmd
}

// register is a first start, a restart, a return, or a ghost of an earlier incarnation.
func (w *world) register() {
	i, n := rapid.IntRange(0, 3).Draw(w.t, "worker"), 1
	if known := w.c.Worker(fmt.Sprintf("w-%d", i)); known != nil {
		fmt.Sscan(known.Incarnation, &n)
		n += rapid.IntRange(-1, 1).Draw(w.t, "incarnation")
	}
	cmd := w.registration(i, max(n, 1))
	if w.rarely("other capacity") {
		cmd.Capacity.CPUMillis = 1000
	}
	if w.rarely("address of another") {
		cmd.Address = fmt.Sprintf("w-%d:1", (i+1)%4)
	}
	for _, a := range w.attempts() {
		if a.Worker == cmd.ID && (!a.Released || w.rarely("old")) && w.often("still has it") {
			cmd.Reports = append(cmd.Reports, w.reportOn(a))
		}
	}
	w.apply(cmd)
}

func (w *world) lose() {
	known := w.c.Workers()
	if len(known) == 0 {
		return
	}
	worker := pick(w, "worker", known...)
	incarnation := worker.Incarnation
	if w.rarely("stale") {
		incarnation = "0"
	}
	w.apply(LoseWorker{ID: worker.ID, Incarnation: incarnation, Cause: "no heartbeat for 60s"})
}

// reportOn is a report on an attempt: mostly what a worker would say next, sometimes anything.
func (w *world) reportOn(a *Attempt) Report {
	r := Report{UID: a.UID, State: pick(w, "state", Building, Running, Running, Succeeded, Failed, Killed)}
	if w.rarely("any state") {
		r.State = State(rapid.IntRange(0, 12).Draw(w.t, "state"))
	}
	if r.State == Failed {
		r.Error, r.ExitCode = "exit code 1", proto.Int32(1)
	}
	return r
}

// progress has one live attempt do what comes next.
func (w *world) progress() {
	live := slices.DeleteFunc(w.attempts(), func(a *Attempt) bool { return a.State.Terminal() || a.Released })
	if len(live) == 0 {
		return
	}
	a := pick(w, "attempt", live...)
	next := map[State][]State{
		Assigned: {Building, Running}, Building: {Running, Failed}, Running: {Succeeded, Succeeded, Failed},
	}
	to := pick(w, "to", next[a.State]...)
	w.tell(w.c.Worker(a.Worker), Report{UID: a.UID, State: to, Error: map[State]string{Failed: "exit code 1"}[to]})
}

// heartbeat has one worker say everything about what it holds, and confirm what it is told to stop.
func (w *world) heartbeat() {
	known := w.c.Workers()
	if len(known) == 0 {
		return
	}
	worker := pick(w, "worker", known...)
	var reports []Report
	for _, a := range w.attempts() {
		if a.Worker == worker.ID && (!a.Released || w.rarely("old")) {
			reports = append(reports, w.reportOn(a))
		}
	}
	_, stop := w.tell(worker, reports...)
	for _, uid := range stop {
		if w.often("stops") {
			w.tell(worker, Report{UID: uid, State: Killed})
		}
	}
}

// observeAnything is a batch that no well-behaved controller would log: repeated, late, out of order, from strangers.
func (w *world) observeAnything() {
	all := w.attempts()
	if len(all) == 0 {
		return
	}
	a := pick(w, "attempt", all...)
	cmd := Observe{Worker: a.Worker, Incarnation: w.incarnation(a.Worker)}
	if w.rarely("stale") {
		cmd.Incarnation = "0"
	}
	for range rapid.IntRange(1, 5).Draw(w.t, "reports") {
		cmd.Reports = append(cmd.Reports, w.reportOn(pick(w, "attempt", all...)))
	}
	if w.rarely("unknown") {
		uid := pick(w, "uid", "", "x", "j-0/-1/0", "j-0/0/99", "j-0/00/0")
		cmd.Reports = append(cmd.Reports, Report{UID: uid, State: Failed})
	}
	w.apply(cmd)
}

// schedule places all it can, or the first few.
func (w *world) schedule() {
	placements := place(w.c, w.now)
	if n := len(placements); n > 0 && w.rarely("only some") {
		placements = placements[:rapid.IntRange(0, n).Draw(w.t, "placements")]
	}
	w.apply(Assign{placements})
}

func (w *world) assignAnything() {
	var cmd Assign
	for range rapid.IntRange(1, 4).Draw(w.t, "placements") {
		cmd.Placements = append(cmd.Placements, Placement{
			Job: w.jobID("job"), Task: rapid.Int32Range(-1, 4).Draw(w.t, "task"),
			Worker: fmt.Sprintf("w-%d", rapid.IntRange(0, 4).Draw(w.t, "worker")),
		})
	}
	w.apply(cmd)
}

// assignGang places each member of one job somewhere, and each once unless a number slips.
func (w *world) assignGang() {
	gangs := slices.DeleteFunc(slices.Clone(w.c.Queue()), func(j *Job) bool { return !j.Gang() })
	known := w.c.Workers()
	if len(gangs) == 0 || len(known) == 0 {
		return
	}
	j, cmd := pick(w, "gang", gangs...), Assign{}
	for i := range j.Tasks {
		if w.rarely("slip") {
			i = rapid.IntRange(0, len(j.Tasks)-1).Draw(w.t, "task")
		}
		cmd.Placements = append(cmd.Placements, Placement{j.ID, int32(i), pick(w, "worker", known...).ID})
	}
	w.apply(cmd)
}

// incarnation is the worker's present one; none if it is forgotten.
func (w *world) incarnation(worker string) string {
	if known := w.c.Worker(worker); known != nil {
		return known.Incarnation
	}
	return ""
}

func (w *world) failDispatch() {
	all := w.attempts()
	assigned := slices.DeleteFunc(slices.Clone(all), func(a *Attempt) bool { return a.State != Assigned })
	if len(assigned) > 0 && w.often("assigned") {
		all = assigned
	}
	if len(all) == 0 {
		return
	}
	a := pick(w, "attempt", all...)
	state, before := a.State, w.c.Describe(epoch)
	w.apply(FailDispatch{UID: a.UID, Cause: "dispatch failed"})
	if after := w.c.Describe(epoch); state != Assigned && after != before {
		w.t.Fatalf("%s was %v and cannot fail to be dispatched\n%s", a.UID, state, after)
	}
}

func (w *world) cancel() {
	if w.often("not now") {
		return // or few jobs would live to see anything else
	}
	w.apply(CancelJob{ID: w.jobID("job"), Reason: "stopped by ann"})
}

// expireAnything repeats a deadline that was answered before: it changes nothing.
func (w *world) expireAnything() {
	if len(w.expired) == 0 {
		return
	}
	before := w.c.Describe(epoch)
	w.apply(Expire{Deadline: pick(w, "deadline", w.expired...), Reason: "nothing is free"})
	if after := w.c.Describe(epoch); after != before {
		w.t.Fatalf("a deadline answered before changed\n%sto\n%s", before, after)
	}
}

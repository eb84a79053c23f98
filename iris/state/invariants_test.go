package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// hindered are the placements of an Assign that something else than room forbids.
func (w *world) hindered(cmd Command) map[Placement]bool {
	assign, _ := cmd.(Assign)
	all := map[Placement]bool{}
	for _, p := range assign.Placements {
		if j := w.c.Job(p.Job); j != nil && p.Task >= 0 && int(p.Task) < len(j.Tasks) {
			all[p] = j.Stopping(p.Task) || w.now.Before(j.NotBefore(p.Task)) ||
				slices.Contains(j.Avoided(p.Task), p.Worker)
		}
	}
	return all
}

// verifySource: a report ends attempts of the worker that sends it and no others, except through their job.
func (w *world) verifySource(cmd Observe, fail func(string, ...any)) {
	for _, a := range w.attempts() {
		mine := a.Worker == cmd.Worker && w.incarnation(a.Worker) == cmd.Incarnation
		byJob := a.State == CoschedFailed || a.State == Killed || a.State == Succeeded && a.job.Gang()
		if ended := a.State.Terminal() && w.final[a.UID] == ""; ended && !mine && !byJob {
			fail("a report of %s, incarnation %s, ended %s as %v", cmd.Worker, cmd.Incarnation, a.UID, a.State)
		}
	}
}

// verifyStops: each worker is told to stop exactly what has ended and may still run.
func (w *world) verifyStops(effects []Effect, fail func(string, ...any)) {
	for _, worker := range w.c.Workers() {
		var want []string
		for _, a := range w.attempts() {
			if a.Worker == worker.ID && a.State.Terminal() && !a.Released {
				want = append(want, a.UID)
			}
		}
		_, got := w.c.Answer(worker.ID, worker.Incarnation, nil)
		if slices.Sort(want); !slices.Equal(got, want) {
			fail("%s is told to stop %v, not %v", worker.ID, got, want)
		}
	}
	for _, a := range w.attempts() {
		stopped := slices.Contains(effects, Effect(Stop{a.Worker, a.UID}))
		if ended := a.State.Terminal() && w.final[a.UID] == ""; ended && !a.Released && !stopped {
			fail("%s ended and is not stopped", a.UID)
		}
	}
}

// verifyOutstanding: a new leader sends again each attempt that its worker may not know, and each stop that is not
// confirmed.
func (w *world) verifyOutstanding(fail func(string, ...any)) {
	var want []string
	for _, worker := range w.c.Workers() {
		for _, a := range worker.Held() {
			switch {
			case worker.Lost:
			case a.State == Assigned:
				want = append(want, fmt.Sprintf("run %s on %s", a.UID, worker.ID))
			case a.State != Building && a.State != Running:
				want = append(want, fmt.Sprintf("stop %s on %s", a.UID, worker.ID))
			}
		}
	}
	for _, s := range w.c.Slices() {
		switch s.State.String() {
		case "REQUESTING":
			want = append(want, fmt.Sprintf("create %s of %s in %s", s.ID, s.Group, s.Zone))
		case "STOPPING":
			want = append(want, fmt.Sprintf("terminate %s of %s", s.ID, s.Group))
		}
	}
	if got := effectTexts(w.c.Outstanding()); !slices.Equal(got, want) {
		fail("outstanding are %v, not %v", got, want)
	}
}

// verifyQueue: exactly the pending tasks of jobs that go on are in the queue, and exactly their names are taken.
func (w *world) verifyQueue(fail func(string, ...any)) {
	waiting := map[string][]int32{}
	for _, j := range w.c.Queue() {
		waiting[j.ID] = j.Waiting()
	}
	for _, j := range w.c.Jobs() {
		var want []int32
		for i := range j.Tasks {
			if j.Tasks[i].State == Pending {
				want = append(want, int32(i))
			}
		}
		if !slices.Equal(waiting[j.ID], want) {
			fail("tasks %v of %s are in the queue, not %v", waiting[j.ID], j.ID, want)
		}
	}
	names := map[title]string{}
	for _, j := range w.c.Jobs() {
		if !j.State.Terminal() {
			names[j.title()] = j.ID
		}
	}
	if !maps.Equal(names, w.c.names) {
		fail("the names in use are %v, not %v", w.c.names, names)
	}
	if !slices.IsSortedFunc(w.c.Queue(), order) {
		fail("the queue is out of order")
	}
}

// verifyFinal: what has ended never changes, except that capacity is released.
func (w *world) verifyFinal(fail func(string, ...any)) {
	verify := func(id string, over bool, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		switch known, ended := w.final[id]; {
		case ended && known != text:
			fail("%s has ended as %s and is now %s", id, known, text)
		case over && !ended:
			w.final[id] = text
		}
	}
	for id := range w.final {
		if job, _, _ := strings.Cut(id, "/"); w.c.Job(job) == nil {
			delete(w.final, id) // forgotten: the id may be used again
		}
	}
	for _, j := range w.c.Jobs() {
		verify(j.ID, j.State.Terminal(), "%v %q %v %v %d %d",
			j.State, j.Error, j.Started, j.Finished, j.Failures, j.Preemptions)
		for i := range j.Tasks {
			t := &j.Tasks[i]
			verify(j.TaskID(i), t.State.Terminal(), "%v %q %d %d %d",
				t.State, t.Error, t.Failures, t.Preemptions, len(t.Attempts))
			live := 0
			for n, a := range t.Attempts {
				if a.UID != j.newUID(int32(i), n) || a.Job() != j || a.Task() != i || a.Number() != n {
					fail("attempt %d of %s is %s", n, j.TaskID(i), a.UID)
				}
				verify(a.UID, a.State.Terminal(), "%v %q %v %v %v %v",
					a.State, a.Error, orDefault(a.ExitCode, -1), a.Assigned, a.Started, a.Finished)
				if !a.State.Terminal() {
					live++
				}
			}
			if live > 1 {
				fail("%s has %d live attempts", j.TaskID(i), live)
			}
		}
	}
}

func (w *world) attempts() []*Attempt {
	var all []*Attempt
	for _, j := range w.c.Jobs() {
		for i := range j.Tasks {
			all = append(all, j.Tasks[i].Attempts...)
		}
	}
	return all
}

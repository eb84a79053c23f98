package schedule_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

// anyView draws small crowded clusters, so that most things that can happen do: few different needs and values, full
// and overdrawn workers, gangs, constraints, avoided workers.
func anyView() *rapid.Generator[schedule.View] {
	return rapid.Custom(func(t *rapid.T) schedule.View {
		var v schedule.View
		for i := range rapid.IntRange(0, 12).Draw(t, "workers") {
			w := worker(fmt.Sprintf("w-%02d", i))
			w.Capacity = anyResources(t, 1, 8)
			w.Free = w.Capacity.Sub(anyResources(t, 0, 4)) // overdrawn at times
			for _, key := range []string{"slice", "zone", "tpu-worker-id"} {
				if value := rapid.SampledFrom([]string{"", "1", "2", "10", "x"}).Draw(t, key); value != "" {
					w.Attributes[key] = value
				}
			}
			v.Workers = append(v.Workers, w)
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "requests") {
			r := schedule.Request{
				Job:         fmt.Sprintf("job-%d", i),
				Need:        anyResources(t, 0, 4),
				Constraints: rapid.SliceOfN(anyConstraint(), 0, 2).Draw(t, "constraints"),
				GroupBy:     rapid.SampledFrom([]string{"", "", "slice", "zone", "worker"}).Draw(t, "group by"),
				Tasks:       tasks(rapid.IntRange(0, 8).Draw(t, "tasks")),
				Bounced:     rapid.Bool().Draw(t, "bounced"),
			}
			if rapid.IntRange(0, 3).Draw(t, "avoids") == 0 {
				r = avoiding(r, rapid.MapOfN(
					rapid.Int32Range(0, 7), rapid.SliceOfN(rapid.SampledFrom([]string{"w-00", "w-01", "w-02"}), 0, 3), 0, 4,
				).Draw(t, "avoid"))
			}
			v.Requests = append(v.Requests, r)
		}
		return v
	})
}

func anyResources(t *rapid.T, low, high int64) state.Resources {
	return cores(rapid.Int64Range(low, high).Draw(t, "cpu"), rapid.Int64Range(low, high).Draw(t, "memory"))
}

func anyConstraint() *rapid.Generator[*pb.Constraint] {
	return rapid.Custom(func(t *rapid.T) *pb.Constraint {
		return &pb.Constraint{
			Key:   rapid.SampledFrom([]string{"slice", "zone", "worker", "gpu"}).Draw(t, "key"),
			Op:    pb.ConstraintOp(rapid.IntRange(1, 8).Draw(t, "op")),
			Value: rapid.SampledFrom([]string{"1", "2", "w-03"}).Draw(t, "value"),
		}
	})
}

func TestAPlannerRemembersNothingOfItsPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var planner schedule.Planner
		for _, v := range rapid.SliceOfN(anyView(), 2, 4).Draw(t, "views") {
			if diff := cmp.Diff(schedule.Plan(v), planner.Plan(v)); diff != "" {
				t.Fatalf("a plan differs from the same as the first one:\n%s", diff)
			}
		}
	})
}

func TestPlanKeepsItsGuarantees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView().Draw(t, "view")
		plan := schedule.Plan(v)
		if diff := cmp.Diff(plan, schedule.Plan(v)); diff != "" {
			t.Fatalf("two plans of one view differ:\n%s", diff)
		}
		workers, requests := byID(v)
		placed := map[string][]int32{}
		groups := map[string]map[string]bool{}
		for _, a := range plan {
			w, r := workers[a.Worker], requests[a.Job]
			if !w.Free.Fits(r.Need) {
				t.Fatalf("%v: %s is over capacity", a, a.Worker)
			}
			w.Free = w.Free.Sub(r.Need)
			if !state.Matches(r.Constraints, w.Attributes) {
				t.Fatalf("%v: %v does not satisfy %v", a, w.Attributes, r.Constraints)
			}
			if slices.Contains(avoids(*r, a.Task), a.Worker) {
				t.Fatalf("%v: the task avoids the worker", a)
			}
			placed[a.Job] = append(placed[a.Job], a.Task)
			if r.GroupBy != "" {
				value, ok := w.Attributes[r.GroupBy]
				if !ok {
					t.Fatalf("%v: the worker is in no group", a)
				}
				if groups[a.Job] == nil {
					groups[a.Job] = map[string]bool{}
				}
				groups[a.Job][value] = true
			}
		}
		withheld := slices.ContainsFunc(v.Requests, func(r schedule.Request) bool {
			return r.Bounced && r.GroupBy != "" && len(placed[r.Job]) == 0
		})
		for _, r := range v.Requests {
			got := placed[r.Job]
			if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
				t.Fatalf("%s: tasks %v were placed out of order or twice", r.Job, got)
			}
			if r.GroupBy != "" {
				if n := len(got); n != 0 && n != len(r.Tasks) || len(groups[r.Job]) > 1 {
					t.Fatalf("%s: %d of %d tasks of the gang are on %v", r.Job, n, len(r.Tasks), groups[r.Job])
				}
				continue
			}
			if withheld {
				continue // room that is left may be held; the reference knows which
			}
			for _, task := range r.Tasks {
				for id, w := range workers {
					if !slices.Contains(got, task) && w.Free.Fits(r.Need) && state.Matches(r.Constraints, w.Attributes) &&
						!slices.Contains(avoids(r, task), id) {
						t.Fatalf("%s/%d waits although it fits on %s", r.Job, task, id)
					}
				}
			}
		}
	})
}

func TestPlanEqualsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView().Draw(t, "view")
		if diff := cmp.Diff(written(reference(v)), written(schedule.Plan(v))); diff != "" {
			t.Fatalf("plan (-reference +got):\n%s", diff)
		}
	})
}

// Alone in a view, a task is placed exactly if Explain says that it will be; and what Explain blames is to blame.
func TestExplainAgreesWithPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView().Draw(t, "view")
		for _, r := range v.Requests {
			for _, task := range r.Tasks {
				alone := r
				if r.GroupBy == "" {
					alone.Tasks = []int32{task}
				}
				placeable := func(workers []schedule.Worker) bool {
					return len(schedule.Plan(schedule.View{Workers: workers, Requests: []schedule.Request{alone}})) > 0
				}
				reason := schedule.Explain(v.Workers, r, task)
				if got := reason.Kind == pb.PendingReason_KIND_NEXT_PASS; got != placeable(v.Workers) {
					t.Fatalf("%s/%d is placed: %t, but it is said: %s", r.Job, task, !got, reason)
				}
				empty := slices.Clone(v.Workers)
				for i := range empty {
					empty[i].Free = empty[i].Capacity
				}
				fitsEmpty := placeable(empty)
				switch reason.Kind {
				case pb.PendingReason_KIND_NO_WORKERS, pb.PendingReason_KIND_TOO_LARGE, pb.PendingReason_KIND_CONSTRAINTS:
					if fitsEmpty {
						t.Fatalf("%s/%d fits an empty cluster, but it is said: %s", r.Job, task, reason)
					}
				case pb.PendingReason_KIND_NO_CAPACITY:
					if len(reason.Avoided) == 0 && r.Avoid == nil && !fitsEmpty {
						t.Fatalf("%s/%d never fits, but it is said: %s", r.Job, task, reason)
					}
				case pb.PendingReason_KIND_GANG:
					if r.Avoid == nil && fitsEmpty == (reason.Group.EvenEmpty || reason.Group.Groups == 0) {
						t.Fatalf("%s fits an empty cluster: %t, but it is said: %s", r.Job, fitsEmpty, reason)
					}
				}
			}
		}
	})
}

func byID(v schedule.View) (map[string]*schedule.Worker, map[string]*schedule.Request) {
	workers, requests := map[string]*schedule.Worker{}, map[string]*schedule.Request{}
	for _, w := range v.Workers {
		workers[w.ID] = &w
	}
	for _, r := range v.Requests {
		requests[r.Job] = &r
	}
	return workers, requests
}

func avoids(r schedule.Request, task int32) []string {
	if r.Avoid == nil {
		return nil
	}
	return r.Avoid(task)
}

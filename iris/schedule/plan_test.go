package schedule_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

const gib = 1 << 30

func cores(cpu, memoryGiB int64) state.Resources {
	return state.Resources{CPUMillis: cpu * 1000, MemoryBytes: memoryGiB * gib}
}

// worker is an empty worker of 4 CPU and 16 GiB with these attributes, given as key, value, key, value…
func worker(id string, attributes ...string) schedule.Worker {
	w := schedule.Worker{
		ID: id, Capacity: cores(4, 16), Free: cores(4, 16), Attributes: map[string]string{"worker": id},
	}
	for i := 0; i < len(attributes); i += 2 {
		w.Attributes[attributes[i]] = attributes[i+1]
	}
	return w
}

// with is the worker with other room.
func with(w schedule.Worker, capacity, free state.Resources) schedule.Worker {
	w.Capacity, w.Free = capacity, free
	return w
}

// left is the worker with this much left free.
func left(free state.Resources, w schedule.Worker) schedule.Worker {
	w.Free = free
	return w
}

// slices of two hosts each: a-0, a-1, b-0, b-1.
func twoSlices() []schedule.Worker {
	return []schedule.Worker{
		worker("a-0", "slice", "a"), worker("a-1", "slice", "a"),
		worker("b-0", "slice", "b"), worker("b-1", "slice", "b"),
	}
}

func tasks(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

func job(id string, n int, need state.Resources, constraints ...*pb.Constraint) schedule.Request {
	return schedule.Request{Job: id, Need: need, Tasks: tasks(n), Constraints: constraints}
}

func gang(id string, n int, need state.Resources, constraints ...*pb.Constraint) schedule.Request {
	r := job(id, n, need, constraints...)
	r.GroupBy = "slice"
	return r
}

func bounced(r schedule.Request) schedule.Request {
	r.Bounced = true
	return r
}

func avoiding(r schedule.Request, byTask map[int32][]string) schedule.Request {
	r.Avoid = func(task int32) []string { return byTask[task] }
	return r
}

func equal(key, value string) *pb.Constraint {
	return &pb.Constraint{Key: key, Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: value}
}

func exists(key string) *pb.Constraint {
	return &pb.Constraint{Key: key, Op: pb.ConstraintOp_CONSTRAINT_OP_EXISTS}
}

// written is a plan as "job/task→worker", in order.
func written(plan []schedule.Assignment) []string {
	var lines []string
	for _, a := range plan {
		lines = append(lines, fmt.Sprintf("%s/%d→%s", a.Job, a.Task, a.Worker))
	}
	return lines
}

func TestPlan(t *testing.T) {
	hosts := func(rank ...string) (slice []schedule.Worker) {
		for i, r := range rank {
			slice = append(slice, worker(fmt.Sprintf("w-%d", i), "slice", "a", "tpu-worker-id", r))
		}
		return slice
	}
	for _, tc := range []struct {
		name     string
		workers  []schedule.Worker
		requests []schedule.Request
		want     []string
	}{
		{
			name:     "nothing is placed when there is no worker",
			requests: []schedule.Request{job("j", 1, cores(1, 1)), gang("g", 2, cores(1, 1))},
		}, {
			name:     "independent tasks go to the first worker with room",
			workers:  []schedule.Worker{worker("w-0"), worker("w-1")},
			requests: []schedule.Request{job("j", 5, cores(2, 1))},
			want:     []string{"j/0→w-0", "j/1→w-0", "j/2→w-1", "j/3→w-1"},
		}, {
			name:    "a task that does not fit does not block one that does",
			workers: []schedule.Worker{worker("w-0")},
			requests: []schedule.Request{
				job("huge", 1, cores(9999, 1)), job("wide", 2, cores(3, 1)), job("small", 1, cores(1, 1)),
			},
			want: []string{"wide/0→w-0", "small/0→w-0"},
		}, {
			name:     "a request ahead is served first",
			workers:  []schedule.Worker{worker("w-0")},
			requests: []schedule.Request{job("first", 1, cores(4, 1)), job("second", 1, cores(4, 1))},
			want:     []string{"first/0→w-0"},
		}, {
			name:     "what is left on a worker that was passed over is still used",
			workers:  []schedule.Worker{left(cores(1, 16), worker("w-0")), worker("w-1")},
			requests: []schedule.Request{job("two", 1, cores(2, 1)), job("one", 2, cores(1, 1))},
			want:     []string{"two/0→w-1", "one/0→w-0", "one/1→w-1"},
		}, {
			name:     "a task that needs nothing takes nothing",
			workers:  []schedule.Worker{left(cores(0, 0), worker("w-0"))},
			requests: []schedule.Request{job("j", 3, cores(0, 0))},
			want:     []string{"j/0→w-0", "j/1→w-0", "j/2→w-0"},
		}, {
			name:     "an overdrawn worker takes nothing",
			workers:  []schedule.Worker{left(cores(-1, 4), worker("w-0", "slice", "a"))},
			requests: []schedule.Request{job("j", 1, cores(0, 1)), gang("g", 1, cores(0, 1))},
		}, {
			name:    "constraints are respected",
			workers: []schedule.Worker{worker("w-0", "zone", "us"), worker("w-1", "zone", "eu"), worker("w-2")},
			requests: []schedule.Request{
				job("eu", 1, cores(1, 1), equal("zone", "eu")),
				job("pinned", 1, cores(1, 1), equal("worker", "w-2")),
				job("both", 1, cores(1, 1), equal("zone", "eu"), exists("gpu")),
				job("zoned", 5, cores(1, 1), exists("zone")),
			},
			want: []string{"eu/0→w-1", "pinned/0→w-2", "zoned/0→w-0", "zoned/1→w-0", "zoned/2→w-0", "zoned/3→w-0",
				"zoned/4→w-1"},
		}, {
			name:    "a task avoids its workers and its siblings do not",
			workers: []schedule.Worker{worker("w-0"), worker("w-1")},
			requests: []schedule.Request{
				avoiding(job("j", 3, cores(1, 1)), map[int32][]string{0: {"w-0"}, 1: {"w-0", "w-1"}}),
			},
			want: []string{"j/0→w-1", "j/2→w-0"},
		}, {
			name:     "a gang goes whole to the first group by value that has room for it",
			workers:  append(twoSlices()[2:], twoSlices()[:2]...),
			requests: []schedule.Request{gang("g", 2, cores(3, 1)), gang("h", 2, cores(3, 1)), gang("i", 2, cores(1, 1))},
			want:     []string{"g/0→a-0", "g/1→a-1", "h/0→b-0", "h/1→b-1", "i/0→a-0", "i/1→a-1"},
		}, {
			name:     "a gang does not straddle groups",
			workers:  twoSlices(),
			requests: []schedule.Request{gang("g", 3, cores(3, 1))},
		}, {
			name:     "a gang needs the attribute",
			workers:  []schedule.Worker{worker("w-0"), worker("w-1")},
			requests: []schedule.Request{gang("g", 2, cores(1, 1))},
		}, {
			name:     "a gang larger than its group is packed evenly and in order",
			workers:  twoSlices()[:2],
			requests: []schedule.Request{gang("g", 5, cores(1, 1))},
			want:     []string{"g/0→a-0", "g/1→a-0", "g/2→a-0", "g/3→a-1", "g/4→a-1"},
		}, {
			name:     "a gang takes uneven room",
			workers:  []schedule.Worker{left(cores(1, 16), worker("a-0", "slice", "a")), worker("a-1", "slice", "a")},
			requests: []schedule.Request{gang("g", 5, cores(1, 1))},
			want:     []string{"g/0→a-0", "g/1→a-1", "g/2→a-1", "g/3→a-1", "g/4→a-1"},
		}, {
			name:     "tasks follow the numbers of the hosts, and hosts without one come last",
			workers:  hosts("10", "", "2", "x", "1"),
			requests: []schedule.Request{gang("g", 5, cores(1, 1))},
			want:     []string{"g/0→w-4", "g/1→w-2", "g/2→w-0", "g/3→w-1", "g/4→w-3"},
		}, {
			name:    "grouping by worker packs one worker",
			workers: []schedule.Worker{left(cores(1, 16), worker("w-0")), worker("w-1")},
			requests: []schedule.Request{
				{Job: "g", Need: cores(1, 1), Tasks: tasks(3), GroupBy: "worker"},
			},
			want: []string{"g/0→w-1", "g/1→w-1", "g/2→w-1"},
		}, {
			name:    "a gang keeps to its constraints",
			workers: twoSlices(),
			requests: []schedule.Request{
				gang("b", 2, cores(1, 1), equal("slice", "b")), gang("one", 2, cores(3, 1), equal("worker", "a-0")),
			},
			want: []string{"b/0→b-0", "b/1→b-1"},
		}, {
			name:    "a gang avoids what any of its tasks avoids, and the next gang does not",
			workers: twoSlices(),
			requests: []schedule.Request{
				avoiding(gang("g", 2, cores(3, 1)), map[int32][]string{1: {"a-0"}}), gang("h", 2, cores(3, 1)),
			},
			want: []string{"g/0→b-0", "g/1→b-1", "h/0→a-0", "h/1→a-1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := written(schedule.Plan(schedule.View{Workers: tc.workers, Requests: tc.requests}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanForABouncedGang(t *testing.T) {
	// One host of each slice is busy; b has more room left.
	busy := twoSlices()
	busy[0].Free, busy[2].Free = cores(0, 12), cores(1, 12)
	small := job("small", 20, cores(1, 1))
	for _, tc := range []struct {
		name     string
		requests []schedule.Request
		want     []string
	}{
		{
			name:     "a gang that never ran has nothing withheld for it",
			requests: []schedule.Request{gang("g", 2, cores(3, 1)), job("small", 6, cores(1, 1))},
			want:     []string{"small/0→a-1", "small/1→a-1", "small/2→a-1", "small/3→a-1", "small/4→b-0", "small/5→b-1"},
		}, {
			name:     "the group with the most room is withheld from the requests behind it",
			requests: []schedule.Request{bounced(gang("g", 6, cores(1, 1))), small},
			want:     []string{"small/0→a-1", "small/1→a-1", "small/2→a-1", "small/3→a-1"},
		}, {
			name:     "between equals the first by value is withheld",
			requests: []schedule.Request{bounced(gang("g", 2, cores(4, 1))), small},
			want:     []string{"small/0→b-0", "small/1→b-1", "small/2→b-1", "small/3→b-1", "small/4→b-1"},
		}, {
			name:     "requests ahead of it still take their share",
			requests: []schedule.Request{job("ahead", 1, cores(4, 1)), bounced(gang("g", 2, cores(3, 1))), small},
			want:     []string{"ahead/0→a-1"},
		}, {
			name:     "nothing is withheld if it fits no group even when empty",
			requests: []schedule.Request{bounced(gang("g", 3, cores(4, 1))), job("small", 1, cores(1, 1))},
			want:     []string{"small/0→a-1"},
		}, {
			name: "a second one is given another group",
			requests: []schedule.Request{
				bounced(gang("g", 2, cores(4, 1))), bounced(gang("h", 2, cores(4, 1))), bounced(gang("i", 2, cores(4, 1))),
				small,
			},
		}, {
			name: "a second one is given another group also if that has no room yet",
			requests: []schedule.Request{
				job("ahead", 2, cores(3, 1)), bounced(gang("g", 2, cores(4, 1))), bounced(gang("h", 2, cores(4, 1))), small,
			},
			want: []string{"ahead/0→a-1", "ahead/1→b-1"},
		}, {
			name: "what it avoids is no matter to the next one",
			requests: []schedule.Request{
				avoiding(bounced(gang("g", 2, cores(4, 1))), map[int32][]string{0: {"a-0", "b-0"}}),
				bounced(gang("h", 2, cores(4, 1))), small,
			},
			want: []string{"small/0→b-0", "small/1→b-1", "small/2→b-1", "small/3→b-1", "small/4→b-1"},
		}, {
			name: "a group that it avoids is not withheld",
			requests: []schedule.Request{
				avoiding(bounced(gang("g", 2, cores(4, 1))), map[int32][]string{0: {"a-0"}}), small,
			},
			want: []string{"small/0→a-1", "small/1→a-1", "small/2→a-1", "small/3→a-1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := written(schedule.Plan(schedule.View{Workers: busy, Requests: tc.requests}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// FM-47: small tasks that end one by one and are replaced at once would keep a gang out for ever.
func TestABouncedGangReturnsAlthoughSmallTasksKeepComing(t *testing.T) {
	workers := twoSlices()[:2]
	type running struct{ worker, ends int }
	var live []running
	for i := range 8 { // full of tasks of 1 CPU, of which one ends each round
		workers[i%2].Free = workers[i%2].Free.Sub(cores(1, 1))
		live = append(live, running{worker: i % 2, ends: i})
	}
	for round := range 8 {
		var rest []running
		for _, l := range live {
			if l.ends > round {
				rest = append(rest, l)
				continue
			}
			workers[l.worker].Free = workers[l.worker].Free.Add(cores(1, 1))
		}
		live = rest
		plan := schedule.Plan(schedule.View{Workers: workers, Requests: []schedule.Request{
			bounced(gang("g", 2, cores(4, 1))), job("small", 10, cores(1, 1)),
		}})
		if round < 7 && len(plan) > 0 {
			t.Fatalf("round %d: the room that the gang waits for was given away: %v", round, written(plan))
		}
		if round == 7 {
			if diff := cmp.Diff([]string{"g/0→a-0", "g/1→a-1"}, written(plan)); diff != "" {
				t.Errorf("plan of the last round (-want +got):\n%s", diff)
			}
		}
	}
}

func TestPlanDoesNotModifyTheView(t *testing.T) {
	view := func() schedule.View {
		return schedule.View{Workers: twoSlices(), Requests: []schedule.Request{
			gang("g", 3, cores(1, 1)), bounced(gang("h", 2, cores(4, 1))), job("j", 3, cores(1, 1), equal("slice", "b")),
		}}
	}
	v := view()
	if plan := schedule.Plan(v); len(plan) == 0 {
		t.Fatal("nothing was placed")
	}
	if diff := cmp.Diff(view(), v, protocmp.Transform()); diff != "" {
		t.Errorf("the view changed (-before +after):\n%s", diff)
	}
}

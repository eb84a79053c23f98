package process

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	. "iris/acceptance"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// work is one job of a mix, and what must come of it.
type work struct {
	client.Spec
	at     time.Duration // when it is submitted, from the beginning
	cancel time.Duration // how long after its start it is terminated; 0: it is not
	state  pb.JobState
	error  string
	tasks  func(index int) []pb.JobState // the attempts of a task, but those that never ran or ended with their gang
}

// ended is a task whose attempts ended so.
func ended(states ...pb.JobState) func(int) []pb.JobState {
	return func(int) []pb.JobState { return states }
}

// mixed is so many tasks in jobs of these kinds, submitted over a span of time. The longest tasks take half of it.
func mixed(random *rand.Rand, diary *diary, kinds []kind, tasks int, span time.Duration) []work {
	var all []work
	for count := 0; count < tasks; {
		w := kinds[random.IntN(len(kinds))](random, diary, length(random, span))
		w.Spec.Name = fmt.Sprintf("job-%d", len(all))
		w.Spec.ID = w.Spec.Name
		w.Spec.CPU, w.Spec.Memory = 0.25, 64<<20
		w.Spec.MaxRetriesPreemption = client.Limit(1000) // more than the worst luck
		w.Spec.Exclusive = w.Spec.GroupBy == "" && random.IntN(4) == 0
		w.Spec.Priority = pb.PriorityBand(random.IntN(4))
		w.at = time.Duration(random.Int64N(int64(span * 9 / 10)))
		w.Spec.Replicas = min(max(w.Spec.Replicas, 1), tasks-count)
		count += w.Spec.Replicas
		all = append(all, w)
	}
	return all
}

// length is how long a task takes: most are short.
func length(random *rand.Rand, span time.Duration) time.Duration {
	longest := []time.Duration{span / 100, span / 100, span / 100, span / 10, span / 10, span / 2}[random.IntN(6)]
	return time.Duration(random.Int64N(int64(longest))).Round(time.Millisecond)
}

// kind makes jobs of one kind, whose tasks take so long.
type kind func(random *rand.Rand, d *diary, length time.Duration) work

var (
	// exact are jobs whose every attempt can be foretold, as long as no running task is lost.
	exact = []kind{one, one, several, several, gang, flaky, flaky, hopeless, tolerant, endless, cancelled}
	// robust are those that end the same whatever is lost.
	robust = []kind{one, one, several, several, gang, hopeless, tolerant, endless}
)

func one(_ *rand.Rand, d *diary, length time.Duration) work {
	return work{Spec: client.Spec{Entrypoint: d.entry(length)}, state: SUCCEEDED, tasks: ended(SUCCEEDED)}
}

func several(random *rand.Rand, d *diary, length time.Duration) work {
	w := one(random, d, length)
	w.Replicas = 2 + random.IntN(9)
	return w
}

// gang runs on one worker.
func gang(random *rand.Rand, d *diary, length time.Duration) work {
	w := several(random, d, length)
	w.GroupBy = "worker"
	return w
}

// flaky fails as often as its budget allows, and then succeeds.
func flaky(random *rand.Rand, d *diary, length time.Duration) work {
	failures := 1 + random.IntN(3)
	w := several(random, d, min(length, 3*time.Second))
	w.Entrypoint = d.entry(min(length, 3*time.Second), failing{times: failures, code: 3})
	w.MaxRetriesFailure = client.Limit(int32(failures))
	w.tasks = ended(append(repeated(FAILED, failures), SUCCEEDED)...)
	return w
}

// hopeless fails once more than its budget allows.
func hopeless(random *rand.Rand, d *diary, length time.Duration) work {
	failures := 1 + random.IntN(3)
	return work{
		Spec: client.Spec{
			Entrypoint: d.entry(min(length, 3*time.Second), failing{times: always, code: 4}), MaxRetriesFailure: client.Limit(int32(failures - 1)),
		},
		state: FAILED, error: "exit code 4", tasks: ended(repeated(FAILED, failures)...),
	}
}

// tolerant has one task that fails, and may.
func tolerant(random *rand.Rand, d *diary, length time.Duration) work {
	w := work{
		Spec: client.Spec{
			Entrypoint: d.entry(length, failing{times: always, code: 5, task: "0"}), Replicas: 2 + random.IntN(3),
			MaxTaskFailures: client.Limit(1),
		},
		state: SUCCEEDED,
	}
	w.tasks = func(index int) []pb.JobState {
		if index == 0 {
			return []pb.JobState{FAILED}
		}
		return []pb.JobState{SUCCEEDED}
	}
	return w
}

// endless is ended by its timeout.
func endless(random *rand.Rand, d *diary, _ time.Duration) work {
	limit := time.Duration(1+random.IntN(3)) * time.Second
	return work{
		Spec:  client.Spec{Entrypoint: d.entry(time.Hour), Timeout: limit},
		state: FAILED, error: "timed out after " + limit.String(), tasks: ended(FAILED),
	}
}

// cancelled is ended by its user.
func cancelled(random *rand.Rand, d *diary, _ time.Duration) work {
	return work{
		Spec:   client.Spec{Entrypoint: d.entry(time.Hour)},
		cancel: time.Duration(1 + random.Int64N(int64(3*time.Second))),
		state:  KILLED, error: "terminated by a user", tasks: ended(KILLED),
	}
}

// always is more often than any budget.
const always = 1_000_000

// failing is how a task fails: so many times, with this exit code, and only the task of this index, if one is named.
type failing struct {
	times, code int
	task        string
}

func repeated(state pb.JobState, n int) []pb.JobState {
	states := make([]pb.JobState, n)
	for i := range states {
		states[i] = state
	}
	return states
}

// entry is a task that keeps the diary.
func (d *diary) entry(length time.Duration, failures ...failing) *pb.Entrypoint {
	f := failing{}
	if len(failures) > 0 {
		f = failures[0]
	}
	return client.Command("sh", "-c", script, "sh", d.path, d.locks, strconv.FormatFloat(length.Seconds(), 'f', -1, 64),
		strconv.Itoa(f.times), strconv.Itoa(f.code), f.task)
}

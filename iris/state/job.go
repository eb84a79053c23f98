package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"iris/iris/mutant"
	pb "iris/iris/proto"
)

// Defaults of the budgets a spec leaves unset (design §3).
const (
	DefaultReplicas             = 1
	DefaultMaxRetriesFailure    = 0
	DefaultMaxRetriesPreemption = 100
	DefaultMaxTaskFailures      = 0
)

// MaxNeverBegan is how many attempts of a task may end with their workers before they began. They are free of charge, so
// that this alone bounds a task that no worker survives being given (FM-1).
const MaxNeverBegan = 100

// Job is a launched job.
type Job struct {
	ID string
	// Seq is its number in the order of submission. None is used twice.
	Seq   uint64
	Spec  *pb.JobSpec // never changes
	Trace string      // of its launch, see [SubmitJob]
	Need  Resources   // of each task
	State State
	// Error is the first cause of a bad end, in words a user can act on.
	Error string
	// Submitted, Started (first attempt ran) and Finished are zero until they happen.
	Submitted, Started, Finished time.Time
	Tasks                        []Task
	// Failures and Preemptions count attempts over all tasks: those that ended FAILED, and those that had started and
	// ended WORKER_FAILED.
	Failures, Preemptions int
	// Bounced: a gang that ran and was sent back to wait; it must not be starved by smaller work (FM-47).
	Bounced bool

	parent   *Job
	children []*Job
	depth    int
	counts   [numStates]int32
	untried  int       // tasks that have had no attempt
	held     int       // attempts that are not released
	done     int       // a gang's tasks whose attempt is Done
	waiting  []int32   // indexes of pending tasks, ascending; may hold tasks that left, see Waiting
	queued   bool      // in Cluster.queue
	lost     bool      // some attempt ended with its worker
	avoiding bool      // some dispatch failed
	dropped  bool      // it was forgotten
	numbered bool      // its id may be that of a job that was forgotten, see newUID
	stranded time.Time // when what lost its worker and no live worker could run is given up; zero: never
	avoid    avoidance // a gang's; other jobs have one for each task
}

// newJob is one of which nothing was tried, known to its parent, if it has one, and to nobody else.
func newJob(id string, spec *pb.JobSpec, parent *Job) *Job {
	j := roomFor(replicas(spec))
	j.ID, j.Spec, j.Need, j.State, j.parent = id, spec, ResourcesOf(spec.Resources), Pending, parent
	if parent != nil {
		j.depth = parent.depth + 1
		parent.children = append(parent.children, j)
	}
	for i := range j.Tasks {
		j.Tasks[i].State = Pending
	}
	j.counts[Pending], j.untried = int32(len(j.Tasks)), len(j.Tasks)
	return j
}

// roomFor is a job of so many tasks in as few pieces of memory as may be: most jobs have one task, and that one attempt.
func roomFor(tasks int) *Job {
	if tasks != 1 {
		return &Job{Tasks: make([]Task, tasks), waiting: make([]int32, 0, tasks)}
	}
	single := &struct {
		Job
		task    [1]Task
		waiting [1]int32
		attempt [1]*Attempt
	}{}
	j := &single.Job
	j.Tasks, j.waiting = single.task[:], single.waiting[:0]
	j.Tasks[0].Attempts = single.attempt[:0]
	return j
}

// replicas is how many tasks a job has.
func replicas(spec *pb.JobSpec) int {
	if spec == nil {
		return DefaultReplicas
	}
	return orDefault(spec.Replicas, DefaultReplicas)
}

// Task is one of a job's equal parts.
type Task struct {
	State State
	// Failures and Preemptions are what its budgets have used up.
	Failures, Preemptions int32
	// Error is why it ended badly.
	Error string
	// Attempts are all of them, in order, for ever.
	Attempts []*Attempt

	avoid *avoidance // where dispatch failed; nil for most
}

// Attempt is one try to run a task on one worker.
type Attempt struct {
	UID         string // globally unique: job id, task index and attempt number, see newUID
	Worker      string
	Incarnation string // of the worker, when it was assigned or adopted
	State       State
	Error       string
	ExitCode    *int32
	// Ports are its named ports while it runs (FM-61). The map never changes.
	Ports map[string]int32
	// Assigned, Started (BUILDING or RUNNING was reported) and Finished are zero until they happen.
	Assigned, Started, Finished time.Time
	// Done: it succeeded, but a gang's success counts only when the whole gang has succeeded (FM-55).
	Done bool
	// Released: its worker confirmed that it stopped, or is lost; its capacity is free again (FM-9).
	Released bool

	job     *Job
	task    int32
	lost    bool      // it ended with its worker
	timeout time.Time // when the controller ends it itself; zero: never
}

// avoidance is where dispatch failed in this round, and how many rounds there were (design §3).
type avoidance struct {
	workers   []string
	rounds    int
	notBefore time.Time
}

// root is the first of the job's ancestors, or itself.
func (j *Job) root() *Job {
	for j.parent != nil {
		j = j.parent
	}
	return j
}

// TaskID is "job/index".
func (j *Job) TaskID(task int) string { return j.ID + "/" + strconv.Itoa(task) }

// Gang reports whether all tasks must run together.
func (j *Job) Gang() bool { return j.Spec.GetCoscheduling().GetGroupBy() != "" }

// Count is how many tasks are in a state.
func (j *Job) Count(s State) int { return int(j.counts[s]) }

// Avoided are the workers a task must not be placed on in this round.
func (j *Job) Avoided(task int32) []string {
	if a := j.avoidanceOf(task); a != nil {
		return a.workers
	}
	return nil
}

// NotBefore is when a task's pause after failed dispatches ends; zero if it has none.
func (j *Job) NotBefore(task int32) time.Time {
	if a := j.avoidanceOf(task); a != nil {
		return a.notBefore
	}
	return time.Time{}
}

func (j *Job) avoidanceOf(task int32) *avoidance {
	if j.Gang() {
		return &j.avoid
	}
	return j.Tasks[task].avoid
}

// Stopping reports whether a task waits for an earlier attempt of an exclusive job to be confirmed stopped.
func (j *Job) Stopping(task int32) bool {
	return j.Spec.GetExclusive() && !mutant.On(mutant.ExclusiveOverlaps) &&
		slices.ContainsFunc(j.Tasks[task].Attempts, func(a *Attempt) bool { return !a.Released })
}

// Waiting are the indexes of its pending tasks, ascending. The caller must not keep or change it.
func (j *Job) Waiting() []int32 {
	for len(j.waiting) > j.Count(Pending) && j.Tasks[j.waiting[0]].State != Pending {
		j.waiting = j.waiting[1:] // the usual case: they leave in order
	}
	if len(j.waiting) > j.Count(Pending) {
		j.waiting = slices.DeleteFunc(j.waiting, func(i int32) bool { return j.Tasks[i].State != Pending })
	}
	return j.waiting
}

// live is the task's attempt that has not ended, or nil.
func (t *Task) live() *Attempt {
	if n := len(t.Attempts); n > 0 && !t.Attempts[n-1].State.Terminal() {
		return t.Attempts[n-1]
	}
	return nil
}

// lostWorker reports whether some attempt of the task ended with its worker.
func (t *Task) lostWorker() bool {
	return slices.ContainsFunc(t.Attempts, func(a *Attempt) bool { return a.lost })
}

// neverBegan counts the attempts that ended with their workers before they began.
func (t *Task) neverBegan() int {
	n := 0
	for _, a := range t.Attempts {
		if a.lost && a.Started.IsZero() {
			n++
		}
	}
	return n
}

// Job is the attempt's job.
func (a *Attempt) Job() *Job { return a.job }

// Task is the index of the attempt's task.
func (a *Attempt) Task() int { return int(a.task) }

// Number is the attempt's index in its task.
func (a *Attempt) Number() int {
	_, _, n, _ := splitUID(a.UID)
	return n
}

// Waited is since when its task had been waiting for it: since the submission, or the end of the attempt before.
func (a *Attempt) Waited() time.Time {
	all := a.job.Tasks[a.task].Attempts
	if n := slices.Index(all, a); n > 0 { // there are few
		return all[n-1].Finished
	}
	return a.job.Submitted
}

// newUID is the uid of an attempt. No other attempt ever has it: if the job's id may have been that of a job that was forgotten,
// it has the number of the job, so that what is still under way about the first counts for no other (FM-12).
func (j *Job) newUID(task int32, attempt int) string {
	uid := j.ID + "/" + strconv.Itoa(int(task)) + "/" + strconv.Itoa(attempt)
	if j.numbered {
		uid += "." + strconv.FormatUint(j.Seq, 10)
	}
	return uid
}

func splitUID(uid string) (job string, task, attempt int, err error) {
	end := strings.IndexByte(uid, '/')
	rest := uid[end+1:]
	middle := strings.IndexByte(rest, '/')
	if end < 0 || middle < 0 || strings.IndexByte(rest[middle+1:], '/') >= 0 {
		return "", 0, 0, fmt.Errorf("attempt uid %q is not job/task/attempt", uid)
	}
	job, first, second := uid[:end], rest[:middle], rest[middle+1:]
	second, _, _ = strings.Cut(second, ".") // the number of its job
	if task, err = strconv.Atoi(first); err != nil {
		return "", 0, 0, fmt.Errorf("attempt uid %q: %w", uid, err)
	}
	if attempt, err = strconv.Atoi(second); err != nil {
		return "", 0, 0, fmt.Errorf("attempt uid %q: %w", uid, err)
	}
	return job, task, attempt, nil
}

func orDefault(v *int32, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(*v)
}

package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cluster is all an Iris controller knows and decides about. It is not safe for concurrent use: one loop owns it.
type Cluster struct {
	policy Policy
	jobs   map[string]*Job
	order  []*Job // by submission
	next   uint64 // number of the next job
	// The number of the first job that was launched after some job had been forgotten; 0: none was yet. See newUID.
	numberedFrom uint64
	names        map[title]string // to the id of the job that has it, while it is not over
	workers      map[string]*Worker
	sorted       []*Worker          // the same, by id
	live         map[string]*Worker // those that are not lost; no two have one address
	queue        []*Job             // jobs with waiting tasks, in scheduling order; may hold jobs that left, see Queue
	over         []*Job             // those of families that are over, in the order in which they may be forgotten
	times        deadlines
	fleet        fleet
	counts       Counts                     // but for the workers, see Counts
	bundles      map[string]int             // how many jobs have each workspace
	sweepAt      struct{ queue, times int } // lengths at which to sweep them
	effects      []Effect
	found        *Attempt // by Attempt, the last time
	watch        func(Event)
}

// New is an empty cluster.
func New(policy Policy) *Cluster {
	return &Cluster{
		policy: policy, jobs: map[string]*Job{}, names: map[title]string{},
		workers: map[string]*Worker{}, live: map[string]*Worker{}, bundles: map[string]int{},
		fleet: newFleet(),
	}
}

// Apply carries out one command at one instant and returns what must now be done. An error is an *Error: the command
// was refused and nothing changed. Of the instant only the wall time counts.
func (c *Cluster) Apply(now time.Time, command Command) ([]Effect, error) {
	now, c.effects = wall(now), nil
	var err error
	switch cmd := command.(type) {
	case SubmitJob:
		err = c.submit(now, cmd)
	case CancelJob:
		err = c.cancel(now, cmd)
	case RegisterWorker:
		err = c.register(now, cmd)
	case LoseWorker:
		c.lose(now, cmd)
	case Assign:
		c.assign(now, cmd)
	case Observe:
		c.observe(now, cmd)
	case FailDispatch:
		c.failDispatch(now, cmd)
	case Expire:
		c.expire(now, cmd)
	case SetPolicy:
		c.policy = cmd.Policy
	case ForgetJobs:
		c.forgetJobs(cmd)
	case ForgetWorkers:
		c.forgetWorkers(cmd)
	case SetGroups:
		c.setGroups(now, cmd)
	case RequestSlice:
		c.requestSlice(now, cmd)
	case RefuseSlice:
		c.refuseSlice(now, cmd)
	case ObserveSlice:
		c.observeSlice(now, cmd)
	case StopSlice:
		c.stopSlice(now, cmd)
	case EndSlice:
		c.endSlice(now, cmd)
	default:
		panic(fmt.Sprintf("state: unknown command %T", command))
	}
	return c.effects, err
}

// Policy are the rules of now.
func (c *Cluster) Policy() Policy { return c.policy }

// Job is the job with this id, or nil.
func (c *Cluster) Job(id string) *Job { return c.jobs[id] }

// Jobs are all jobs in the order of submission. The caller must not keep or change the slice.
func (c *Cluster) Jobs() []*Job { return c.order }

// JobsFrom are those of [Cluster.Jobs] whose Seq is this one or greater.
func (c *Cluster) JobsFrom(seq uint64) []*Job {
	first, _ := slices.BinarySearchFunc(c.order, seq, func(j *Job, seq uint64) int { return cmp.Compare(j.Seq, seq) })
	return c.order[first:]
}

// JobsUpTo are those of [Cluster.Jobs] whose Seq is this one or less.
func (c *Cluster) JobsUpTo(seq uint64) []*Job {
	end, found := slices.BinarySearchFunc(c.order, seq, func(j *Job, seq uint64) int { return cmp.Compare(j.Seq, seq) })
	if found {
		end++
	}
	return c.order[:end]
}

// Worker is the worker with this id, or nil.
func (c *Cluster) Worker(id string) *Worker { return c.workers[id] }

// Workers are all workers that are not forgotten, by id. The caller must not keep or change the slice.
func (c *Cluster) Workers() []*Worker { return c.sorted }

// Attempt is the attempt with this uid, or nil. To ask for one again and again, as all do who deal with a report, costs nothing.
func (c *Cluster) Attempt(uid string) *Attempt {
	if c.found != nil && c.found.UID == uid {
		return c.found
	}
	c.found = c.find(uid)
	return c.found
}

func (c *Cluster) find(uid string) *Attempt {
	id, task, attempt, err := splitUID(uid)
	j := c.jobs[id]
	if err != nil || j == nil || task < 0 || task >= len(j.Tasks) {
		return nil
	}
	if attempts := j.Tasks[task].Attempts; attempt >= 0 && attempt < len(attempts) && attempts[attempt].UID == uid {
		return attempts[attempt]
	}
	return nil
}

// lostText names the lost workers that could have run the job, with why: "lost w-0, w-1 (no heartbeat for 60s); ".
func (c *Cluster) lostText(j *Job) string {
	var ids []string
	cause := ""
	for _, w := range c.Workers() {
		if w.Lost && w.Capacity.Fits(j.Need) && Matches(j.Spec.Constraints, w.Attributes) {
			ids, cause = append(ids, w.ID), w.LostCause
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return fmt.Sprintf("lost %s (%s); ", strings.Join(ids, ", "), cause)
}

package oracle

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// These build jobs and their histories: attempt n of a task is assigned at 10n+1, begins at 10n+2 and ends at 10n+3.

func job(s state.State, text string, tasks ...Task) Job {
	j := Job{ID: "j", State: s, Error: text, Tasks: tasks}
	for _, t := range tasks {
		j.Failures, j.Preemptions = j.Failures+t.Failures, j.Preemptions+t.Preemptions
	}
	return j
}

// one is a job of one task, which stands as the job does.
func one(s state.State, text string, attempts ...Attempt) Job {
	if s == state.Assigned {
		return job(state.Pending, text, task(s, text, attempts...))
	}
	return job(s, text, task(s, text, attempts...))
}

func (j Job) stopped() Job {
	j.Stopped = true
	return j
}

func (j Job) orphaned() Job {
	j.ParentEnded = true
	return j
}

func task(s state.State, text string, attempts ...Attempt) Task {
	t := Task{State: s, Error: text, Attempts: attempts}
	for n := range attempts {
		a, at := &attempts[n], int64(10*n)
		a.Assigned = at + 1
		if a.Began {
			a.Started = at + 2
		}
		if over(a.State) {
			a.Finished = at + 3
		}
		switch {
		case a.State == state.Failed:
			t.Failures++
		case a.State == state.WorkerFailed && a.Began:
			t.Preemptions++
		}
	}
	return t
}

func attempt(s state.State, text string) Attempt {
	return Attempt{State: s, Worker: "w-0", Error: text, Began: s != state.Assigned, Released: over(s)}
}

func (a Attempt) exit(code int32) Attempt {
	a.Exit = &code
	return a
}

func (a Attempt) neverBegan() Attempt {
	a.Began = false
	return a
}

func (a Attempt) unreleased() Attempt {
	a.Released = false
	return a
}

const (
	exit3     = "exit code 3"
	tooLong   = "timed out after 5s"
	ended     = "its job ended FAILED"
	lost      = "lost worker w-0: no heartbeat for 60s"
	refused   = "dispatch to w-0 failed 4 times: Unavailable: down"
	noneLeft  = "lost w-0 (no heartbeat for 60s); no worker left to run it"
	refusedBy = "dispatch failed on every worker that can run it (w-0)"
	unfit     = "not scheduled within 10s: nothing is free"
	byUser    = "terminated by a user"
	byParent  = "its parent job p ended FAILED"
)

func succeeded() Attempt { return attempt(state.Succeeded, "").exit(0) }
func failed() Attempt    { return attempt(state.Failed, exit3).exit(3) }
func timedOut() Attempt  { return attempt(state.Failed, tooLong) }
func ofSibling() Attempt {
	return attempt(state.CoschedFailed, "task 0 of the gang ended FAILED: exit code 3")
}
func works() Task          { return task(state.Running, "", attempt(state.Running, "")) }
func stoppedTask() Task    { return task(state.Killed, byUser, attempt(state.Killed, byUser)) }
func preempted() Attempt   { return attempt(state.WorkerFailed, lost) }
func unbegun() Attempt     { return preempted().neverBegan() }
func undelivered() Attempt { return attempt(state.WorkerFailed, refused).neverBegan() }

// times is a history of n equal attempts, and then more.
func times(n int, a Attempt, more ...Attempt) []Attempt {
	var all []Attempt
	for range n {
		all = append(all, a)
	}
	return append(all, more...)
}

// done is a gang's member that has succeeded and waits for the others.
func done(t Task) Task {
	a := &t.Attempts[len(t.Attempts)-1]
	a.Finished, a.Released = a.Started+1, true
	return t
}

type said func(*pb.JobSpec)

func spec(all ...said) *pb.JobSpec {
	s := &pb.JobSpec{}
	for _, say := range all {
		say(s)
	}
	return s
}

func replicas(n int32) said { return func(s *pb.JobSpec) { s.Replicas = proto.Int32(n) } }
func retries(n int32) said  { return func(s *pb.JobSpec) { s.MaxRetriesFailure = proto.Int32(n) } }
func preemptions(n int32) said {
	return func(s *pb.JobSpec) { s.MaxRetriesPreemption = proto.Int32(n) }
}
func tolerating(n int32) said      { return func(s *pb.JobSpec) { s.MaxTaskFailures = proto.Int32(n) } }
func below(parent string) said     { return func(s *pb.JobSpec) { s.ParentJobId = parent } }
func exclusive(s *pb.JobSpec)      { s.Exclusive = true }
func timeout(d time.Duration) said { return func(s *pb.JobSpec) { s.Timeout = durationpb.New(d) } }
func schedule(d time.Duration) said {
	return func(s *pb.JobSpec) { s.SchedulingTimeout = durationpb.New(d) }
}

func gang(n int32) said {
	return func(s *pb.JobSpec) { s.Replicas, s.Coscheduling = proto.Int32(n), &pb.Coscheduling{GroupBy: "pod"} }
}

package oracle

import (
	"slices"
	"strings"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// bugs are what a core with a mistake would leave behind, planted in what the real one left. Each says whether the job has
// the place for it.
var bugs = map[string]func(*pb.JobSpec, *Job) bool{
	"one retry more than the failure budget has": func(s *pb.JobSpec, j *Job) bool {
		return j.State == state.Failed && !strings.HasSuffix(j.Error, "no worker left to run it") && again(j, state.Failed)
	},
	"one retry more than the preemption budget has": func(s *pb.JobSpec, j *Job) bool {
		return j.State == state.WorkerFailed && again(j, state.WorkerFailed)
	},
	"a retry less than the failure budget has": func(s *pb.JobSpec, j *Job) bool {
		n := s.GetMaxRetriesFailure() + 1
		s.MaxRetriesFailure = &n
		return slices.ContainsFunc(j.Tasks, func(t Task) bool { return t.State == state.Failed && t.Failures == int(n) })
	},
	"a preemption that was not counted": func(_ *pb.JobSpec, j *Job) bool {
		i := slices.IndexFunc(j.Tasks, func(t Task) bool { return t.Preemptions > 0 })
		if i >= 0 {
			j.Tasks[i].Preemptions--
			j.Preemptions--
		}
		return i >= 0
	},
	"a preemption that was charged before the attempt began": func(_ *pb.JobSpec, j *Job) bool {
		return anAttempt(j, func(t *Task, a *Attempt) bool {
			if a.State != state.WorkerFailed || a.Began {
				return false
			}
			t.Preemptions++
			j.Preemptions++
			return true
		})
	},
	"one task failure too many was tolerated": func(s *pb.JobSpec, j *Job) bool {
		failed := 0
		for i := range j.Tasks {
			if j.Tasks[i].State == state.Failed {
				failed++
			}
		}
		n := int32(failed) - 1
		s.MaxTaskFailures = &n
		return failed > 0 && j.State == state.Succeeded
	},
	"a job that goes on after its end": func(_ *pb.JobSpec, j *Job) bool {
		was := over(j.State)
		j.State, j.Error = state.Running, ""
		return was
	},
	"a job that ended before its time": func(_ *pb.JobSpec, j *Job) bool {
		was := over(j.State)
		j.State = state.Succeeded
		return !was
	},
	"a job that nobody stopped": func(_ *pb.JobSpec, j *Job) bool {
		j.Stopped, j.ParentEnded = false, false
		return j.State == state.Killed
	},
	"a child that outlives its parent": func(_ *pb.JobSpec, j *Job) bool {
		j.ParentEnded = true
		return !over(j.State)
	},
	"a task that was left behind": func(_ *pb.JobSpec, j *Job) bool {
		i := slices.IndexFunc(j.Tasks, func(t Task) bool { return t.State == state.Killed || t.State == state.CoschedFailed })
		if i >= 0 {
			j.Tasks[i].State, j.Tasks[i].Error = state.Pending, ""
		}
		return i >= 0
	},
	"a retry of one member alone": func(_ *pb.JobSpec, j *Job) bool {
		return slices.ContainsFunc(j.Tasks, func(t Task) bool { return t.State == state.Pending && len(t.Attempts) > 0 }) &&
			slices.ContainsFunc(j.Tasks, func(t Task) bool {
				return slices.ContainsFunc(t.Attempts, func(a Attempt) bool { return a.State == state.CoschedFailed })
			}) && again(j, state.CoschedFailed)
	},
	"a success that was forgotten": func(_ *pb.JobSpec, j *Job) bool {
		return anAttempt(j, func(t *Task, a *Attempt) bool {
			if a.State != state.Succeeded {
				return false
			}
			t.State = state.Pending
			return true
		})
	},
	"an attempt after a success": func(_ *pb.JobSpec, j *Job) bool {
		return j.State == state.Succeeded && again(j, state.Succeeded)
	},
	"two copies of an exclusive task": func(s *pb.JobSpec, j *Job) bool {
		i := slices.IndexFunc(j.Tasks, func(t Task) bool { return len(t.Attempts) > 1 })
		if i < 0 || !s.Exclusive {
			return false
		}
		j.Tasks[i].Attempts[0].Released = false
		return true
	},
	"a lost error": func(_ *pb.JobSpec, j *Job) bool {
		had := j.Error != ""
		j.Error = ""
		return had
	},
	"an error of something else": func(_ *pb.JobSpec, j *Job) bool {
		had := j.Error != "" && j.State != state.Killed
		j.Error = "oh"
		return had
	},
	"an end of a worker's making that counts as a user's": func(_ *pb.JobSpec, j *Job) bool {
		return !over(j.State) && anAttempt(j, func(t *Task, a *Attempt) bool {
			was := a.State == state.WorkerFailed && a.Began
			if was {
				a.State = state.Killed
				t.Preemptions--
				j.Preemptions--
			}
			return was
		})
	},
	"an attempt that has two ends": func(_ *pb.JobSpec, j *Job) bool {
		return anAttempt(j, func(t *Task, a *Attempt) bool {
			was := a.State == state.Failed
			if was {
				a.State = state.Succeeded
			}
			return was
		})
	},
}

// again adds an attempt to the first task whose last one ended like this.
func again(j *Job, s state.State) bool {
	for i := range j.Tasks {
		t := &j.Tasks[i]
		if n := len(t.Attempts); n > 0 && t.Attempts[n-1].State == s {
			t.State, t.Error = state.Assigned, ""
			t.Attempts = append(t.Attempts, Attempt{State: state.Assigned, Worker: "w-0", Assigned: t.Attempts[n-1].Finished + 1})
			if over(j.State) { // as if the job had gone on
				j.State, j.Error = state.Pending, ""
			}
			return true
		}
	}
	return false
}

func anAttempt(j *Job, change func(*Task, *Attempt) bool) bool {
	for i := range j.Tasks {
		for n := range j.Tasks[i].Attempts {
			if change(&j.Tasks[i], &j.Tasks[i].Attempts[n]) {
				return true
			}
		}
	}
	return false
}

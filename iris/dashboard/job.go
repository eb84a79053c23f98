package dashboard

import (
	"context"
	"net/http"
	"strconv"

	pb "iris/iris/proto"
	"iris/iris/view"
)

// jobPage is what the page of a job shows.
type jobPage struct {
	Job         *pb.JobStatus
	Spec        *pb.JobSpec
	Over        bool
	Tabs        []tab
	Tasks       []*pb.TaskStatus
	First, Next string
	Paged       bool      // it does not begin with the first
	Single      *taskPage // the only task, in full
	Past        []*pb.Event
}

func (s *Server) job(r *http.Request) (look, error) {
	id, q := r.PathValue("job"), r.URL.Query()
	states, err := stateOf(q.Get("state"), taskStates, view.TaskState)
	if err != nil {
		return look{}, err
	}
	in := &pb.ListTasksRequest{JobId: id, PageSize: rows, PageToken: q.Get("from"), States: states}
	return look{"jobs", id, "job", func(ctx context.Context, c calls) (any, error) {
		out, err := c.jobs.GetJobStatus(ctx, &pb.GetJobStatusRequest{JobId: id, WithSpec: true})
		if err != nil {
			return nil, err
		}
		tasks, err := c.jobs.ListTasks(ctx, in)
		if err != nil {
			return nil, err
		}
		p := jobPage{
			Job: out.Job, Spec: out.Spec, Over: out.Job.State.Over(), Tasks: tasks.Tasks, Paged: in.PageToken != "",
			First: link(pathTo("jobs", id), "state", q.Get("state")),
		}
		if tasks.NextPageToken != "" {
			p.Next = link(pathTo("jobs", id), "state", q.Get("state"), "from", tasks.NextPageToken)
		}
		p.Tabs = taskTabs(out.Job, q.Get("state"))
		if out.Job.NumTasks == 1 && len(tasks.Tasks) == 1 {
			single := taskOf(tasks.Tasks[0], nil)
			p.Single = &single
		}
		p.Past, err = past(ctx, c, id, "")
		return p, err
	}}, nil
}

// taskTabs are the states that some task is in, and the chosen one.
func taskTabs(j *pb.JobStatus, chosen string) []tab {
	of := map[pb.TaskState]int32{}
	for _, c := range j.TaskStates {
		of[c.State] = c.Count
	}
	all := []tab{{"", pathTo("jobs", j.JobId), j.NumTasks, chosen == ""}}
	for _, s := range taskStates {
		if word := view.TaskState(s); of[s] > 0 || word == chosen {
			all = append(all, tab{word, link(pathTo("jobs", j.JobId), "state", word), of[s], word == chosen})
		}
	}
	return all
}

// taskPage is what the page of a task shows.
type taskPage struct {
	Task     *pb.TaskStatus
	Attempts []*pb.TaskAttempt // the last ones, newest first
	Earlier  int               // how many there are besides
	Attempt  *int              // whose log is shown; nil: the last one's, and those that follow
	Log      string            // where that is followed
}

// shownAttempts is how many attempts of a task are listed.
const shownAttempts = 50

func taskOf(t *pb.TaskStatus, attempt *int) taskPage {
	p := taskPage{Task: t, Attempt: attempt}
	for i := len(t.Attempts) - 1; i >= 0 && len(p.Attempts) < shownAttempts; i-- {
		p.Attempts = append(p.Attempts, t.Attempts[i])
	}
	p.Earlier = len(t.Attempts) - len(p.Attempts)
	chosen := ""
	if attempt != nil {
		chosen = strconv.Itoa(*attempt)
	}
	p.Log = link(pathTo("jobs", t.JobId, "tasks", t.TaskIndex, "log"), "attempt", chosen)
	return p
}

func (s *Server) task(r *http.Request) (look, error) {
	id, index, attempt, err := taskIn(r)
	if err != nil {
		return look{}, err
	}
	return look{"jobs", "Task " + strconv.Itoa(index) + " of " + id, "task", func(ctx context.Context, c calls) (any, error) {
		out, err := c.jobs.GetTaskStatus(ctx, &pb.GetTaskStatusRequest{JobId: id, TaskIndex: int32(index)})
		if err != nil {
			return nil, err
		}
		return taskOf(out.Task, attempt), nil
	}}, nil
}

// maxIndex bounds the numbers of tasks and attempts; there are no greater ones.
const maxIndex = 1<<31 - 1

// taskIn reads which task a request is about, and which of its attempts, if it says so.
func taskIn(r *http.Request) (job string, index int, attempt *int, err error) {
	if index, err = number(r.PathValue("n"), "the task", 0, 0, maxIndex); err != nil {
		return "", 0, nil, err
	}
	if text := r.URL.Query().Get("attempt"); text != "" {
		n, err := number(text, "the attempt", 0, 0, maxIndex)
		if err != nil {
			return "", 0, nil, err
		}
		attempt = &n
	}
	return r.PathValue("job"), index, attempt, nil
}

// stopJob ends a job.
func (s *Server) stopJob(ctx context.Context, r *http.Request) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id := r.PathValue("job")
	_, err := s.calls.jobs.TerminateJob(ctx, &pb.TerminateJobRequest{JobId: id})
	return pathTo("jobs", id), err
}

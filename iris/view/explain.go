package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Explanation says in plain words why a job waits, was retried, or ended as it did, and what can be done about it.
type Explanation struct {
	Job   string `json:"job"`
	State string `json:"state"`
	// Tasks are those that tell the story: the one that was asked for or, of a job, those that matter most.
	Tasks []ToldTask `json:"tasks"`
	// Verdict is why the job, or the task that was asked for, is where it is.
	Verdict string `json:"verdict"`
	// Advice is what the reader can do, the most useful first.
	Advice []Advice `json:"advice"`
}

// ToldTask is a task with a sentence for each of its attempts.
type ToldTask struct {
	Task     int32    `json:"task"`
	State    string   `json:"state"`
	Attempts []string `json:"attempts"`
	// Omitted is how many attempts, between the first and the last ones, are not told of.
	Omitted int `json:"omitted"`
}

// Advice is something to do, and the command that does it; a word in capitals in it is to be filled in.
type Advice struct {
	What    string `json:"what"`
	Command string `json:"command"`
}

// What an explanation of a whole job tells of at most. A task that is asked for is told in full.
const (
	toldTasks         = 3
	toldFirst, toldAt = 2, 8 // attempts: the first ones, and all in all
)

// Explain says why a job is where it is. With a task it is about that one alone, which must be among the tasks. Where is what
// commands need to reach the same controllers, such as " --controller host:7070"; usually nothing.
func Explain(now time.Time, j *pb.JobStatus, tasks []*pb.TaskStatus, task *int32, where string) Explanation {
	e := Explanation{Job: clean(j.JobId), State: JobState(j.State), Tasks: []ToldTask{}}
	told, most := principals(j, tasks), toldAt
	if task != nil {
		told, most = []*pb.TaskStatus{tasks[*task]}, len(tasks[*task].Attempts)
	}
	for _, t := range told {
		e.Tasks = append(e.Tasks, tell(t, most, now))
	}
	c := theCase{now: now, job: j, tasks: tasks, where: where}
	if len(told) > 0 {
		c.task = told[0]
	}
	v := c.ofJob()
	if task != nil {
		v = c.ofTask()
	}
	e.Verdict, e.Advice = clean(v.text), v.advice
	if e.Advice == nil {
		e.Advice = []Advice{}
	}
	return e
}

func tell(t *pb.TaskStatus, most int, now time.Time) ToldTask {
	told := ToldTask{Task: t.TaskIndex, State: TaskState(t.State), Attempts: []string{}}
	if n := len(t.Attempts); n > most {
		told.Omitted = n - most
	}
	for i, a := range t.Attempts {
		if told.Omitted == 0 || i < toldFirst || i >= toldFirst+told.Omitted {
			told.Attempts = append(told.Attempts, clean(attemptSentence(a, now)))
		}
	}
	return told
}

// principals are the tasks that tell a job's story: first the one that ended it, or that it waits for, then those that were
// tried most often.
func principals(j *pb.JobStatus, tasks []*pb.TaskStatus) []*pb.TaskStatus {
	var first []*pb.TaskStatus
	if main := principal(j, tasks); main != nil {
		first = append(first, main)
	}
	tried := slices.DeleteFunc(slices.Clone(tasks), func(t *pb.TaskStatus) bool {
		return slices.Contains(first, t) || badAttempts(t) == 0
	})
	slices.SortStableFunc(tried, func(a, b *pb.TaskStatus) int { return badAttempts(b) - badAttempts(a) })
	all := append(first, tried...)
	if len(all) == 0 && len(tasks) > 0 {
		all = tasks[:1]
	}
	return all[:min(len(all), toldTasks)]
}

// principal is the task that ended a job badly, or of a job that is not over the first that waits; nil if there is none.
func principal(j *pb.JobStatus, tasks []*pb.TaskStatus) *pb.TaskStatus {
	for _, t := range tasks {
		if t.Error != "" && (t.Error == j.Error || j.Error == fmt.Sprintf("task %d: %s", t.TaskIndex, t.Error)) {
			return t
		}
	}
	for _, t := range tasks {
		if t.PendingReason != nil && t.PendingReason.Kind == j.PendingReason.GetKind() {
			return t
		}
	}
	return nil
}

// badAttempts counts those that ended FAILED, or with their worker.
func badAttempts(t *pb.TaskStatus) int {
	n := 0
	for _, a := range t.Attempts {
		if a.State == pb.TaskState_TASK_STATE_FAILED || a.State == pb.TaskState_TASK_STATE_WORKER_FAILED {
			n++
		}
	}
	return n
}

// Write writes an explanation for people. Only commands may be wider than the terminal: they are to be copied.
func (e Explanation) Write(w io.Writer, terminal Terminal) error {
	p := &page{terminal: terminal}
	p.text(0, states[e.State], fmt.Sprintf("Job %s is %s.", e.Job, e.State))
	for _, t := range e.Tasks {
		p.line(0, "")
		p.text(0, bold, fmt.Sprintf("Task %d is %s", t.Task, t.State))
		if len(t.Attempts) == 0 {
			p.text(2, plain, "It has had no attempt.")
		}
		for i, sentence := range t.Attempts {
			if i == toldFirst && t.Omitted > 0 {
				p.text(2, grey, "("+model.CountText(t.Omitted, "more attempt")+")")
			}
			p.text(2, plain, sentence)
		}
	}
	p.line(0, "")
	p.text(0, bold, "Why")
	p.text(2, plain, e.Verdict)
	if len(e.Advice) > 0 {
		p.line(0, "")
		p.text(0, bold, "What you can do")
	}
	for _, a := range e.Advice {
		p.text(2, plain, a.What)
		p.line(4, terminal.paint(cyan, clean(a.Command)))
	}
	return p.write(w, nil)
}

// JSON writes an explanation as an indented document.
func (e Explanation) JSON(w io.Writer) error { return document(w, e) }

// sentence joins what there is to say with semicolons.
func sentence(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "; ") + "."
}

package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"iris/iris/follow"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// monitor shows a job that is being followed: on a terminal as a few lines that are redrawn below what the job writes, else
// as a line for each change, or as JSON. It is a follow.Observer.
type monitor struct {
	*app
	screen *view.Screen
	json   bool
	states bool  // show how the job is
	live   bool  // in lines that are redrawn
	tasks  int32 // of the job
	done   chan struct{}
	ticker sync.WaitGroup

	mu       sync.Mutex
	last     *pb.JobStatus
	said     string    // the last line about a change
	saidKind [2]any    // what of it is news at once
	saidAt   time.Time // and when
	begun    time.Time
	source   follow.Source // of the last line
	gaps     map[follow.Source]bool
	lines    map[int]lastLine // of each task
	trouble  *view.Trouble    // nil: none yet
}

// lastLine is the last line of a task.
type lastLine struct {
	from follow.Source
	text string
}

const (
	redrawEvery = 250 * time.Millisecond
	soon        = 300 * time.Millisecond // a wait that is over by then is not worth a line
	countsEvery = 10 * time.Second       // how often numbers alone are worth one
	lineMost    = 200                    // characters of a last line that are kept
	toldMost    = 20                     // attempts that end badly of which each is worth a line
)

// newMonitor shows what a job of so many tasks writes.
func (a *app) newMonitor(asJSON bool, tasks int32) *monitor {
	m := &monitor{
		app: a, json: asJSON, tasks: tasks, done: make(chan struct{}), begun: a.now(), gaps: map[follow.Source]bool{}, lines: map[int]lastLine{},
	}
	m.screen = &view.Screen{Out: a.out, Err: a.err, Shared: a.terminal(a.out).Width > 0}
	return m
}

// showStates shows how the job is as well, from now on.
func (m *monitor) showStates() {
	m.states = true
	if m.live = !m.json && m.terminal(m.err).Live; m.live {
		m.ticker.Go(m.redraw)
	}
}

// close takes the redrawn lines away.
func (m *monitor) close() {
	close(m.done)
	m.ticker.Wait()
	if m.live {
		_ = m.screen.Draw(nil)
	}
}

func (m *monitor) redraw() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.draw()
		case <-m.done:
			return
		}
	}
}

// draw draws the block of how the job is, as far as the terminal has rows for it.
func (m *monitor) draw() {
	m.mu.Lock()
	last, trouble := m.last, m.trouble
	m.mu.Unlock()
	if last == nil || m.now().Sub(m.begun) <= soon {
		return
	}
	lines := view.Progress(m.terminal(m.err), m.now(), last, trouble)
	_ = m.screen.Draw(lines[:min(len(lines), max(1, m.rows(m.err)-1))])
}

// note says something about the job, on standard error.
func (m *monitor) note(text string) {
	_ = m.screen.Note(view.Paragraph(m.terminal(m.err), "iris: ", strings.TrimPrefix(text, "iris: ")))
}

// hint says what to type, without the comment if that does not fit.
func (m *monitor) hint(command, comment string) {
	line := fmt.Sprintf("  %-40s # %s", command, comment)
	if width := m.terminal(m.err).Width; width > 0 && len(line) > width {
		line = "  " + command
	}
	_ = m.screen.Note(line)
}

// Status takes a look at the job.
func (m *monitor) Status(j *pb.JobStatus) {
	m.mu.Lock()
	before := m.last
	m.last = j
	m.mu.Unlock()
	switch {
	case !m.states:
	case m.json:
		if before == nil || !proto.Equal(before, j) {
			_ = m.screen.Print(event("status", j))
		}
	case m.live:
		if before == nil || !proto.Equal(before, j) {
			m.draw()
		}
	default:
		m.change(j)
	}
}

// change writes a line if there is news. A new state is news, and so is a new kind of reason to wait; other numbers are only
// after a while. The end is for the report to tell.
func (m *monitor) change(j *pb.JobStatus) {
	text := view.Standing(j)
	kind := [2]any{j.State, j.PendingReason.GetKind()}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	settled := view.WaitsFor(j) == "" || now.Sub(m.begun) > soon
	news := kind != m.saidKind && settled || text != m.said && now.Sub(m.saidAt) > countsEvery
	idle := j.State == pb.JobState_JOB_STATE_PENDING && view.WaitsFor(j) == "" // about to be placed
	if !news || idle || j.State.Over() {
		return
	}
	m.said, m.saidKind, m.saidAt = text, kind, now
	m.note(text)
}

// Line writes what an attempt wrote, as it wrote it: to the same stream and, if the job has one task only, without a prefix.
func (m *monitor) Line(from follow.Source, line *pb.LogLine) {
	if m.json {
		_ = m.screen.Print(logEvent(from, line))
		return
	}
	m.mu.Lock()
	again := from != m.source && from.Attempt > 0
	m.source = from
	m.lines[from.Task] = lastLine{from, strings.ToValidUTF8(line.Text[:min(len(line.Text), lineMost)], "")}
	m.mu.Unlock()
	if again && m.states && m.tasks == 1 {
		m.note(fmt.Sprintf("attempt %d runs on %s", from.Attempt, from.Worker))
	}
	text := line.Text
	if m.tasks > 1 {
		text = prefix(from, m.tasks) + text
	}
	if line.Stream == "stdout" {
		_ = m.screen.Print(text)
	} else {
		_ = m.screen.Note(text)
	}
}

// Gap says what of a log is missing.
func (m *monitor) Gap(from follow.Source, text string) {
	m.mu.Lock()
	m.gaps[from] = true
	m.mu.Unlock()
	m.note(fmt.Sprintf("task %d, attempt %d on %s: %s", from.Task, from.Attempt, from.Worker, text))
}

// Ended takes note of an attempt that ended badly. Without a terminal a job of several tasks says it in a line, unless there are
// too many.
func (m *monitor) Ended(from follow.Source, a *pb.TaskAttempt) {
	if a.State != pb.TaskState_TASK_STATE_FAILED && a.State != pb.TaskState_TASK_STATE_WORKER_FAILED {
		return
	}
	next := view.Trouble{Attempts: 1, Title: fmt.Sprintf("task %d, attempt %d on %s", from.Task, from.Attempt, from.Worker), Cause: a.Error}
	if m.tasks == 1 {
		next.Title = fmt.Sprintf("attempt %d on %s", from.Attempt, from.Worker)
	}
	m.mu.Lock()
	if m.trouble != nil {
		next.Attempts += m.trouble.Attempts
	}
	if last := m.lines[from.Task]; last.from == from {
		next.Line = last.text
	}
	m.trouble = &next
	m.mu.Unlock()
	switch {
	case !m.states || m.json || m.tasks == 1:
	case m.live:
		m.draw()
	case next.Attempts <= toldMost:
		m.note(view.Failing(&next))
	case next.Attempts == toldMost+1:
		m.note("more attempts end badly; each is not told any more")
	}
}

// prefix tells the tasks of a job apart: "3| ", and for a later attempt "3.1| ".
func prefix(from follow.Source, tasks int32) string {
	name := fmt.Sprintf("%*d", len(fmt.Sprint(tasks-1)), from.Task)
	if from.Attempt > 0 {
		name += fmt.Sprintf(".%d", from.Attempt)
	}
	return name + "| "
}

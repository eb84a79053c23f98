package view

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Snapshot is what one look at a cluster found.
type Snapshot struct {
	Controllers []*pb.ControllerStatus
	Workers     []*pb.WorkerStatus
	Jobs        []*pb.JobStatus // those that are not over, the first ones by submission
	MoreJobs    bool            // there are more of them than Jobs
	Fleet       *pb.GetFleetResponse
	Missing     []string // what could not be learnt, and why
}

// Top is a cluster on a screen of so many rows, none of them wider than the terminal: first how it is as a whole, then its
// workers, its scale groups and its jobs, each list with trouble first. What does not fit is left out, and it says how much that
// is. No rows: all of it.
func Top(terminal Terminal, rows int, now time.Time, s Snapshot) []string {
	head := s.head(terminal, now)
	var lists []list
	for _, l := range []list{s.workerList(terminal, now), s.groupList(now), s.jobList(terminal, now)} {
		if len(l.rows) > 0 {
			lists = append(lists, l)
		}
	}
	room := rows - len(head)
	if rows <= 0 {
		room = 1 << 30
	}
	lines := head
	shown := share(room, lists)
	for slices.Contains(shown, 0) { // the head says how many there are
		lists = lists[:len(lists)-1]
		shown = share(room, lists)
	}
	for i, shown := range shown {
		lines = append(lines, "")
		lines = append(lines, lists[i].lines(terminal, shown)...)
	}
	if rows > 0 {
		lines = lines[:min(len(lines), rows)]
	}
	return lines
}

// head is how the cluster is as a whole.
func (s Snapshot) head(terminal Terminal, now time.Time) []string {
	p := &page{terminal: terminal}
	one := func(c colour, text string) { p.line(0, terminal.paint(c, terminal.cut(clean(text), terminal.Width))) }
	one(bold, strings.TrimSpace(now.UTC().Format(time.TimeOnly)+"  "+s.leaders()))
	var taken, all model.Resources
	counts := map[string]int{}
	for _, w := range s.Workers {
		counts[standing(w)]++
		if w.State == pb.WorkerState_WORKER_STATE_LIVE {
			taken, all = taken.Add(model.ResourcesOf(w.Committed)), all.Add(model.ResourcesOf(w.Capacity))
		}
	}
	width := max(0, min(20, terminal.Width/4))
	if terminal.Width <= 0 {
		width = 20
	}
	for _, d := range []struct {
		name         string
		taken, whole int64
		text         string
	}{
		{"CPU   ", taken.CPUMillis, all.CPUMillis, cores(taken.CPUMillis) + " of " + model.CPUText(all.CPUMillis)},
		{"MEMORY", taken.MemoryBytes, all.MemoryBytes, model.BytesText(taken.MemoryBytes) + " of " + model.BytesText(all.MemoryBytes)},
	} {
		text := terminal.cut(fmt.Sprintf("%s %s %s", d.name, bar(terminal, d.taken, d.whole, width), d.text), terminal.Width)
		p.line(0, terminal.paint(cyan, text))
	}
	one(plain, fmt.Sprintf("%s%s", model.CountText(len(s.Workers), "worker"), listed(counts, "LOST", "DRAINING", "LIVE")))
	one(plain, s.work())
	for _, text := range s.Missing {
		one(yellow, text)
	}
	return strings.Split(strings.TrimSuffix(p.out.String(), "\n"), "\n")
}

// leaders is which controllers there are, and which leads.
func (s Snapshot) leaders() string {
	if len(s.Controllers) == 0 {
		return ""
	}
	sorted := slices.Clone(s.Controllers)
	rank := func(c *pb.ControllerStatus) int {
		switch {
		case c.Leads:
			return 0
		case c.Joining:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(sorted, func(a, b *pb.ControllerStatus) int { return rank(a) - rank(b) })
	var texts []string
	for _, c := range sorted {
		texts = append(texts, c.ControllerId+[]string{" leads", " joins", ""}[rank(c)])
	}
	return fmt.Sprintf("%s: %s", model.CountText(len(sorted), "controller"), strings.Join(texts, ", "))
}

// work is how many jobs there are, and what their tasks do.
func (s Snapshot) work() string {
	counts, run, wait := map[string]int{}, 0, 0
	for _, j := range s.Jobs {
		counts[JobState(j.State)]++
		run, wait = run+int(runningOf(j)), wait+int(waitingOf(j))
	}
	number := model.CountText(len(s.Jobs), "job")
	if s.MoreJobs {
		number = "the first " + number
	}
	text := number + listed(counts, "PENDING", "BUILDING", "RUNNING")
	if len(s.Jobs) > 0 {
		text += fmt.Sprintf("; %s run, %d wait", model.CountText(run, "task"), wait)
	}
	return text
}

// listed is ": 1 LOST, 2 LIVE", of those that there are.
func listed(counts map[string]int, words ...string) string {
	var texts []string
	for _, word := range words {
		if counts[word] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", counts[word], word))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + strings.Join(texts, ", ")
}

// list is a table that may be cut short.
type list struct {
	table
	all string // the command that shows all of it
}

// lines are the first rows of a list, and how many are left out.
func (l list) lines(terminal Terminal, shown int) []string {
	left := len(l.rows) - shown
	l.rows = l.rows[:shown]
	var out strings.Builder
	_ = l.write(&out, terminal) // a builder takes everything
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if left > 0 {
		lines = append(lines, terminal.paint(grey, terminal.cut(fmt.Sprintf("and %d more: %s", left, l.all), terminal.Width)))
	}
	return lines
}

// share is how many rows each list shows. Each gets what it needs if that is no more than its share of the room, and what is
// left of theirs goes to the others. Besides its rows a list needs a blank line, its head and, if it is cut, a line that says so.
func share(room int, lists []list) []int {
	const around = 2
	shown := make([]int, len(lists))
	order := make([]int, len(lists))
	for i := range lists {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(lists[a].rows), len(lists[b].rows)) })
	for n, i := range order {
		part := max(0, room) / (len(order) - n)
		need := around + len(lists[i].rows)
		if need <= part {
			shown[i], room = len(lists[i].rows), room-need
			continue
		}
		shown[i] = max(0, part-around-1)
		room -= around + shown[i] + 1
	}
	return shown
}

// JSON writes a snapshot as an indented document: each list as the messages of the wire.
func (s Snapshot) JSON(w io.Writer) error {
	out := struct {
		Controllers []json.RawMessage `json:"controllers"`
		Workers     []json.RawMessage `json:"workers"`
		Jobs        []json.RawMessage `json:"jobs"`
		MoreJobs    bool              `json:"more_jobs"`
		Fleet       json.RawMessage   `json:"fleet,omitempty"`
		Missing     []string          `json:"missing"`
	}{MoreJobs: s.MoreJobs, Missing: append([]string{}, s.Missing...)}
	var err error
	if out.Controllers, err = raws(s.Controllers); err != nil {
		return err
	}
	if out.Workers, err = raws(s.Workers); err != nil {
		return err
	}
	if out.Jobs, err = raws(s.Jobs); err != nil {
		return err
	}
	if s.Fleet != nil {
		if out.Fleet, err = Raw(s.Fleet); err != nil {
			return err
		}
	}
	return document(w, out)
}

func raws[M proto.Message](messages []M) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for _, m := range messages {
		text, err := Raw(m)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// Draw is the timeline of a story.
func Draw(f Facts) Timeline {
	f.Events = Merged(f.Events)
	d := drawing{Facts: f, tasks: map[string]int32{}, lanes: map[string]int{}}
	for _, e := range f.Events {
		d.tasks[e.JobId] = max(d.tasks[e.JobId], e.GetTaskIndex()+1)
	}
	d.out.Lasts = d.since(f.Ended)
	d.out.Notes = f.Notes
	d.lay()
	d.drawJobs()
	d.drawAttempts()
	d.drawWorkers()
	d.drawSlices()
	d.drawControllers()
	for _, e := range f.Events {
		d.tell(e)
	}
	for _, c := range f.Calls {
		d.drawCall(c)
	}
	for _, o := range f.Faults {
		d.drawOrdered(o)
	}
	for _, t := range f.Beats {
		d.out.Beats = append(d.out.Beats, Beat{Lane: d.lane(t.Worker), First: d.since(t.First), Every: Span(t.Every), Count: t.Count})
	}
	d.pack()
	d.out.Events = woven(d.out.Events)
	slices.SortStableFunc(d.out.Arrows, func(a, b Arrow) int { return cmp.Compare(a.Sent, b.Sent) })
	slices.SortStableFunc(d.out.Beats, func(a, b Beat) int { return cmp.Compare(a.First, b.First) })
	return d.out
}

// drawing is a timeline under way.
type drawing struct {
	Facts
	out   Timeline
	tasks map[string]int32 // how many a job has, as far as is known
	lanes map[string]int
	leads []*pb.Event // when somebody began to
}

// since is an instant of the story. What was before it began is at its beginning.
func (d *drawing) since(at time.Time) Span { return Span(max(at.Sub(d.Began), 0)) }

// clients is the lane of those who launch jobs.
const clients = "jobs"

// lay makes a lane for everybody: the jobs, the controllers, the workers that are there from the start, and each slice with its
// workers below it.
func (d *drawing) lay() {
	controllers, workers, sliceIDs := names{}, names{}, names{}
	for _, id := range d.Controllers {
		controllers.add(id)
	}
	for _, e := range d.Events {
		switch e.Kind {
		case pb.EventKind_EVENT_KIND_LEADS:
			controllers.add(e.Text)
			d.leads = append(d.leads, e)
		case pb.EventKind_EVENT_KIND_SLICE:
			sliceIDs.add(e.SliceId)
		default:
			workers.add(e.WorkerId)
		}
	}
	for _, t := range d.Beats {
		workers.add(t.Worker)
	}
	for _, c := range d.Calls {
		switch c.Method {
		case "RunTask", "StopTask":
			workers.add(c.To)
		case "Register", "Heartbeat", "ReportTaskState":
			workers.add(c.From)
		}
	}
	slices.SortFunc(controllers.all, natural)
	slices.SortFunc(workers.all, natural)
	d.addLane(clients, Jobs)
	for _, id := range controllers.all {
		d.addLane(id, Controller)
	}
	of := map[string][]string{} // workers by slice
	for _, id := range workers.all {
		of[sliceOf(id, sliceIDs.all)] = append(of[sliceOf(id, sliceIDs.all)], id)
	}
	for _, id := range of[""] {
		d.addLane(id, Worker)
	}
	for _, slice := range sliceIDs.all {
		d.addLane(slice, Slice)
		for _, id := range of[slice] {
			d.addLane(id, Worker)
		}
	}
}

func (d *drawing) addLane(name string, role Role) {
	d.lanes[name] = len(d.out.Lanes)
	d.out.Lanes = append(d.out.Lanes, Lane{Name: name, Role: role})
}

// lane is that of a participant; of one that has none it is that of the jobs.
func (d *drawing) lane(name string) int { return d.lanes[name] }

// leader is the lane of the controller that led at an instant, as far as is known.
func (d *drawing) leader(at time.Time) int {
	led := ""
	if len(d.Controllers) > 0 {
		led = d.Controllers[0]
	}
	for _, e := range d.leads {
		if !e.At.AsTime().After(at) {
			led = e.Text
		}
	}
	return d.lane(led)
}

// drawOrdered draws what was done on purpose.
func (d *drawing) drawOrdered(o Ordered) {
	at, lane := d.since(o.At), d.leader(o.At)
	if own, there := d.lanes[o.Who]; there {
		lane = own
	}
	if o.LostTo != "" {
		d.out.Arrows = append(d.out.Arrows, Arrow{From: lane, To: d.lane(o.LostTo), Text: o.What, Sent: at, Arrived: at, Ended: at,
			Fate: RequestLost, Why: o.Why})
	}
	if o.LostBeat {
		d.out.Beats = append(d.out.Beats, Beat{Lane: lane, First: at})
	}
	if !o.Lasts {
		d.out.Events = append(d.out.Events, Event{At: at, Lane: lane, Kind: o.Kind, What: o.What, Why: o.Why})
		return
	}
	b := Bar{Lane: lane, Label: o.What, Phases: []Phase{{at, "FAULT"}}, End: d.out.Lasts, Why: o.Why}
	d.out.Events = append(d.out.Events, Event{At: at, Lane: lane, Kind: o.Kind, What: o.What + " begins", Why: o.Why})
	if !o.Until.IsZero() {
		b.End, b.How = d.since(o.Until), "OVER"
		d.out.Events = append(d.out.Events, Event{At: b.End, Lane: lane, Kind: o.Kind, What: o.What + " is over"})
	}
	d.out.Bars = append(d.out.Bars, b)
}

// late is how long a call may take and be as ever.
const late = time.Second

// drawCall draws a call, and tells of one that failed.
func (d *drawing) drawCall(c Call) {
	who := func(name string) int {
		if own, there := d.lanes[name]; there {
			return own
		}
		if name == "client" {
			return d.lane(clients)
		}
		return d.leader(c.Sent) // the only ones who are called without a name
	}
	a := Arrow{From: who(c.From), To: who(c.To), Text: d.called(c), Sent: d.since(c.Sent), Why: c.Err, Fate: Answered}
	ended := c.Ended
	if ended.IsZero() {
		ended = d.Ended
	}
	a.Ended, a.Arrived = d.since(ended), d.since(c.Arrived)
	switch {
	case c.Arrived.IsZero():
		a.Fate, a.Arrived = RequestLost, a.Ended
	case c.Ended.IsZero():
		a.Fate, a.Why = Late, "no answer by the end"
	case c.Got != "OK" && c.Given == c.Got:
		a.Fate = Refused
	case c.Got != "OK":
		a.Fate = ReplyLost
	case ended.Sub(c.Sent) >= late:
		a.Fate = Late
	}
	if c.Method == "Heartbeat" && a.Fate != Answered && a.Fate != Late {
		d.out.Beats = append(d.out.Beats, Beat{Lane: a.From, First: a.Sent})
	}
	d.out.Arrows = append(d.out.Arrows, a)
	if a.Fate != Answered {
		what := fmt.Sprintf("%s from %s: %s", a.Text, d.out.Lanes[a.From].Name, a.Fate)
		if a.Fate == Late {
			what += fmt.Sprintf(" by %s", Short(ended.Sub(c.Sent)))
		}
		d.out.Events = append(d.out.Events, Event{At: a.Sent, Lane: a.From, Kind: CallFailed, What: what, Why: a.Why})
	}
}

// called is a call in words: "RunTask train: attempt 0".
func (d *drawing) called(c Call) string {
	var about []string
	for i, a := range c.About {
		if i == 2 && len(c.About) > 3 {
			about = append(about, fmt.Sprintf("and %d more", len(c.About)-i))
			break
		}
		about = append(about, d.attempt(a))
	}
	text := c.Method
	if about != nil {
		text += " " + strings.Join(about, ", ")
	}
	if c.To != "" && c.From != "client" {
		text += " to " + c.To
	}
	return text
}

// pack gives each bar a row of its lane in which there is room for it.
func (d *drawing) pack() {
	slices.SortStableFunc(d.out.Bars, func(a, b Bar) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Phases[0].At, b.Phases[0].At))
	})
	free := make([][]Span, len(d.out.Lanes)) // from when on, by row
	for i := range d.out.Bars {
		b := &d.out.Bars[i]
		if b.Row == Whole {
			continue
		}
		rows := free[b.Lane]
		row := slices.IndexFunc(rows, func(from Span) bool { return from <= b.Phases[0].At })
		if row < 0 {
			row, rows = len(rows), append(rows, 0)
		}
		rows[row] = max(b.End, b.Freed)
		b.Row, free[b.Lane] = row, rows
	}
	for i := range d.out.Lanes {
		d.out.Lanes[i].Rows = len(free[i])
	}
}

// names are names, each once.
type names struct {
	all  []string
	seen map[string]bool
}

func (n *names) add(name string) {
	if name == "" || n.seen[name] {
		return
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[name] = true
	n.all = append(n.all, name)
}

// sliceOf is the slice that a worker is on by its name, if it is on one.
func sliceOf(worker string, all []string) string {
	for _, slice := range all {
		if strings.Contains(worker, slice+"-vm-") {
			return slice
		}
	}
	return ""
}

// natural compares names, numbers in them as numbers: "w-2" is before "w-10".
func natural(a, b string) int {
	number := func(s string) (int, string) {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n, s[:n]
	}
	for a != "" && b != "" {
		na, x := number(a)
		nb, y := number(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		if order := cmp.Or(cmp.Compare(na, nb), cmp.Compare(x, y)); order != 0 {
			return order
		}
		a, b = a[na:], b[nb:]
	}
	return cmp.Compare(len(a), len(b))
}

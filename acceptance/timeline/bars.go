package timeline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	pb "iris/iris/proto"
)

// state is a state of the wire as people write it.
func state(s pb.TaskState) string { return strings.TrimPrefix(s.String(), "TASK_STATE_") }

// enter begins a phase of a bar, unless it is in that state.
func (b *Bar) enter(at Span, state string) {
	if n := len(b.Phases); n == 0 || b.Phases[n-1].State != state {
		b.Phases = append(b.Phases, Phase{at, state})
	}
}

// add adds the bars that have begun, each with an end if it has none.
func (d *drawing) add(bars []*Bar) {
	for _, b := range bars {
		if len(b.Phases) == 0 {
			continue
		}
		if b.How == "" {
			b.End = d.out.Lasts
		}
		d.out.Bars = append(d.out.Bars, *b)
	}
}

// drawJobs draws a bar for each job, from its launch to its end.
func (d *drawing) drawJobs() {
	var bars []*Bar
	of := map[string]*Bar{}
	for _, e := range d.Events {
		at := d.since(e.At.AsTime())
		b := of[e.JobId]
		switch {
		case e.Kind == pb.EventKind_EVENT_KIND_JOB && b == nil:
			b = &Bar{Lane: d.lane(clients), Label: d.name(e.JobId)}
			b.enter(at, state(pb.TaskState_TASK_STATE_PENDING))
			of[e.JobId], bars = b, append(bars, b)
			fallthrough
		case e.Kind == pb.EventKind_EVENT_KIND_JOB:
			if e.State.Over() {
				b.End, b.How, b.Why = at, state(e.State), e.Text
			}
		case b != nil && b.How == "" && e.Kind == pb.EventKind_EVENT_KIND_ATTEMPT && e.State == pb.TaskState_TASK_STATE_RUNNING:
			b.enter(at, state(e.State))
		}
	}
	d.add(bars)
}

// drawAttempts draws a bar for each attempt, on the lane of its worker, until its capacity was free.
func (d *drawing) drawAttempts() {
	var bars []*Bar
	of := map[Attempt]*Bar{}
	for _, e := range d.Events {
		a, at := AttemptOf(e), d.since(e.At.AsTime())
		b := of[a]
		switch e.Kind {
		case pb.EventKind_EVENT_KIND_ATTEMPT:
			if b == nil {
				b = &Bar{Lane: d.lane(e.WorkerId), Label: d.attempt(a)}
				of[a], bars = b, append(bars, b)
			}
			switch {
			case !e.State.Over() && b.How == "":
				b.enter(at, state(e.State))
			case e.State.Over():
				if len(b.Phases) == 0 {
					b.enter(at, state(pb.TaskState_TASK_STATE_ASSIGNED))
				}
				b.End, b.How, b.Why = at, state(e.State), e.Text
			}
		case pb.EventKind_EVENT_KIND_RELEASED:
			if b != nil {
				b.Freed = at
			}
		}
	}
	for a := range d.Stopping {
		if b := of[a]; b != nil && b.How != "" {
			b.Freed = d.out.Lasts
		}
	}
	d.add(bars)
}

// drawWorkers draws what the controller believed of each worker, behind its attempts: whether it was live or lost.
func (d *drawing) drawWorkers() {
	var bars []*Bar
	of := map[string]*Bar{}
	for _, e := range d.Events {
		if e.Kind == pb.EventKind_EVENT_KIND_SLICE && e.Slice == pb.SliceEventKind_SLICE_EVENT_KIND_GONE {
			for id, b := range of { // its machines are gone for good
				if sliceOf(id, []string{e.SliceId}) != "" {
					b.End, b.How = d.since(e.At.AsTime()), moved(e.Slice)
					delete(of, id)
				}
			}
		}
		live := e.Kind == pb.EventKind_EVENT_KIND_REGISTERED
		if !live && e.Kind != pb.EventKind_EVENT_KIND_LOST {
			continue
		}
		b, at := of[e.WorkerId], d.since(e.At.AsTime())
		if b == nil {
			b = &Bar{Lane: d.lane(e.WorkerId), Row: Whole}
			of[e.WorkerId], bars = b, append(bars, b)
			if !live { // what it was before is not known any more
				b.enter(0, "LIVE")
			}
		}
		if live {
			b.enter(at, "LIVE")
		} else {
			b.enter(at, "LOST")
		}
	}
	d.add(bars)
}

// drawSlices draws what became of each slice.
func (d *drawing) drawSlices() {
	var bars []*Bar
	of := map[string]*Bar{}
	for _, e := range d.Events {
		if e.Kind != pb.EventKind_EVENT_KIND_SLICE || e.SliceId == "" {
			continue
		}
		b, at := of[e.SliceId], d.since(e.At.AsTime())
		if b == nil || b.How != "" {
			b = &Bar{Lane: d.lane(e.SliceId), Label: e.SliceId}
			of[e.SliceId], bars = b, append(bars, b)
		}
		switch e.Slice {
		case pb.SliceEventKind_SLICE_EVENT_KIND_REFUSED, pb.SliceEventKind_SLICE_EVENT_KIND_GONE:
			b.enter(at, moved(e.Slice))
			b.End, b.How, b.Why = at, moved(e.Slice), e.Text
		default:
			b.enter(at, moved(e.Slice))
		}
	}
	d.add(bars)
}

func moved(k pb.SliceEventKind) string { return strings.TrimPrefix(k.String(), "SLICE_EVENT_KIND_") }

// drawControllers draws when each controller led, and when it was down.
func (d *drawing) drawControllers() {
	type change struct {
		at     Span
		id, to string
	}
	var changes []change
	for _, o := range d.Faults {
		switch o.Kind {
		case Killed:
			changes = append(changes, change{d.since(o.At), o.Who, "DOWN"})
		case Started:
			changes = append(changes, change{d.since(o.At), o.Who, ""})
		}
	}
	for _, e := range d.leads { // at the same instant it was started before it led
		changes = append(changes, change{d.since(e.At.AsTime()), e.Text, "LEADS"})
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	now := map[string]*Bar{} // what each is
	end := func(id string, at Span) {
		if b := now[id]; b != nil {
			b.End = at
			d.out.Bars = append(d.out.Bars, *b)
			delete(now, id)
		}
	}
	for _, c := range changes {
		if lane, there := d.lanes[c.id]; !there || d.out.Lanes[lane].Role != Controller {
			continue
		}
		for id, b := range now { // one leads
			if c.to == "LEADS" && b.Phases[0].State == "LEADS" {
				end(id, c.at)
			}
		}
		end(c.id, c.at)
		if c.to != "" {
			now[c.id] = &Bar{Lane: d.lane(c.id), Label: strings.ToLower(c.to), Phases: []Phase{{c.at, c.to}}}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		end(id, d.out.Lasts)
	}
}

package acceptance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/tap"
	"iris/acceptance/timeline"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// past is what is noted of a spec's cluster while its story goes on, for the report.
type past struct {
	tap     *tap.Tap
	killed  []timeline.Ordered
	history []*pb.Event // of controllers that are gone
}

// noteKill is called before a participant is killed. A leader's history goes with it.
func (c *Cluster) noteKill(id string) {
	c.kills++
	if strings.HasPrefix(id, "c-") && c.answers() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		events, _, err := history(ctx, c.Client, "")
		if err == nil { // a report that knows less is no reason to fail
			c.past.history, _ = latest(append(c.past.history, events...))
		}
	}
	c.past.killed = append(c.past.killed, timeline.Kill(id, time.Now()))
}

// mostEvents is how many events a story has: a soak has more, and nobody reads them.
const mostEvents = 20_000

// latest are the last events of several histories, and how many were before them.
func latest(events []*pb.Event) ([]*pb.Event, int) {
	events = timeline.Merged(events)
	before := max(len(events)-mostEvents, 0)
	return events[before:], before
}

// answers reports whether the cluster can be asked without a wait, as far as is known without asking.
func (c *Cluster) answers() bool {
	_, inside := c.system.(*inProcess)
	return c.Client != nil && (!inside || len(c.network().All()) == 0 && c.Leader() != "")
}

// noteStart is called before one is started again.
func (c *Cluster) noteStart(id string) {
	c.past.killed = append(c.past.killed, timeline.Start(id, time.Now()))
}

// askedOfFailed bounds what a spec that has failed may ask of its cluster.
const askedOfFailed = 10 * time.Second

// timeline is the story of the cluster so far. It never fails: what cannot be found out is among its notes.
func (c *Cluster) timeline(ctx context.Context, all inventory) timeline.Timeline {
	f := timeline.Facts{Began: c.booted, Ended: time.Now(), Events: c.past.history, Jobs: map[string]string{},
		Stopping: map[timeline.Attempt]bool{}, Faults: c.ordered(), Controllers: c.system.Controllers()}
	note := func(format string, args ...any) { f.Notes = append(f.Notes, fmt.Sprintf(format, args...)) }
	for _, j := range all.jobs {
		f.Jobs[j.JobId] = j.Name
	}
	for _, t := range all.tasks {
		for _, a := range t.Attempts {
			if a.Stopping {
				f.Stopping[timeline.Attempt{Job: t.JobId, Task: t.TaskIndex, Attempt: a.AttemptId}] = true
			}
		}
	}
	if c.Client == nil {
		note("The cluster did not start.")
	} else {
		events, dropped, err := history(ctx, c.Client, "")
		var before int
		if f.Events, before = latest(append(f.Events, events...)); before > 0 {
			note("Of the events only the last %d are shown.", mostEvents)
		}
		if err != nil {
			note("The controller did not say what happened: %v.", err)
		}
		if dropped > 0 {
			note("The controller has forgotten the first %d events.", dropped)
		}
	}
	if c.Mode == Process {
		note("The participants are processes of their own: calls and heartbeats between them are not seen.")
	} else {
		var forgotten int
		if f.Calls, f.Beats, forgotten = c.past.tap.Seen(); forgotten > 0 {
			note("Of the calls only the last %d are shown; %d were before them.", tap.Kept, forgotten)
		}
	}
	return timeline.Draw(f)
}

// ordered is what was done to the cluster on purpose.
func (c *Cluster) ordered() []timeline.Ordered {
	all := append([]timeline.Ordered(nil), c.past.killed...)
	for _, f := range c.Chaos.Firings() {
		all = append(all, timeline.Fired(f))
	}
	for _, o := range c.injected {
		if o.Fault.Kind == fault.KindCrash || o.Fault.Kind == fault.KindRestart {
			continue // that somebody was killed is there
		}
		all = append(all, timeline.Injected(o.Fault, o.Began, o.Ended, o.Struck()))
	}
	return all
}

// history reads all events of a job, or of all jobs for "", and how many are no longer known.
func history(ctx context.Context, c *client.Client, job string) (all []*pb.Event, dropped int64, err error) {
	known, err := client.AllEvents(func(cursor string) (*pb.ListEventsResponse, error) {
		return c.Events(ctx, &pb.ListEventsRequest{JobId: job, Cursor: cursor})
	})
	return known.Events, known.Dropped, err
}

// current is the cluster of the running spec, for those who have nothing but a job's status; nil: there is none.
var current *Cluster

// toldOfJob is how many events of a job a failed match has at the most: the last ones.
const toldOfJob = 40

// told is what happened to a job, a line each, each after a line break. Where there is no cluster to ask, that is what is known.
func (c *Cluster) told(job, name string, known ...*pb.Event) string {
	f := timeline.Facts{Events: known, Jobs: map[string]string{job: name}}
	if len(known) > 0 {
		f.Began = known[0].At.AsTime()
	}
	if c != nil && c.Client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), askedOfFailed)
		defer cancel()
		events, _, err := history(ctx, c.Client, job)
		if err != nil {
			return fmt.Sprintf("\n    what happened is not known: %v", err)
		}
		f.Began, f.Events = c.booted, events
	}
	story := timeline.Draw(f)
	var b strings.Builder
	timeline.Text(&b, story.Events[max(len(story.Events)-toldOfJob, 0):])
	return strings.TrimRight("\n"+b.String(), "\n")
}

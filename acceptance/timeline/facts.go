package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"iris/acceptance/fault"
	"iris/chaos"
	pb "iris/iris/proto"
)

// Facts are what is known of the story of one cluster.
type Facts struct {
	Began, Ended time.Time
	// Events are what its controllers say happened, from one history or from several that overlap.
	Events []*pb.Event
	// Jobs are the names of its jobs by id. One that is not there is called by its id.
	Jobs map[string]string
	// Stopping are the attempts (see [AttemptOf]) whose capacity was not free at the end.
	Stopping map[Attempt]bool
	// Controllers are the ids of its controllers.
	Controllers []string
	Faults      []Ordered
	Calls       []Call
	Beats       []Train
	Notes       []string
}

// Attempt names an attempt of a task of a job.
type Attempt struct {
	Job           string
	Task, Attempt int32
}

// AttemptOf is the attempt that an event is about.
func AttemptOf(e *pb.Event) Attempt { return Attempt{e.JobId, e.GetTaskIndex(), e.GetAttemptId()} }

// Ordered is something that was done to the cluster on purpose.
type Ordered struct {
	At    time.Time
	Lasts bool      // it was not over at once
	Until time.Time // of what lasts: when it was over. Zero: it goes on
	Kind  Kind      // Fault, Killed or Started
	Who   string    // the participant it happened to; empty: the controller that led
	What  string
	Why   string
	// LostTo is the worker that an order did not reach because of it.
	LostTo string
	// LostBeat says that a heartbeat of Who was lost by it.
	LostBeat bool
}

// Kill is that a participant was ended by order.
func Kill(who string, at time.Time) Ordered {
	return Ordered{At: at, Kind: Killed, Who: who, What: who + " is killed"}
}

// Start is that it was started again.
func Start(who string, at time.Time) Ordered {
	return Ordered{At: at, Kind: Started, Who: who, What: who + " is started again"}
}

// Fired is a firing of a rule of chaos.
func Fired(f chaos.Firing) Ordered {
	o := Ordered{At: f.At, Kind: Fault, What: "fault " + f.Site + ": " + f.Action}
	for _, label := range []string{"worker", "controller"} {
		if o.Who = f.Labels[label]; o.Who != "" {
			break
		}
	}
	switch f.Site {
	case "controller.dispatch", "controller.stop":
		o.LostTo, o.Who = f.Labels["worker"], ""
	case "worker.heartbeat":
		o.LostBeat = true
	}
	o.Why = fmt.Sprintf("hit %d of %s", f.Nth, target(f))
	return o
}

// Injected is a fault that was injected. Until is zero while it goes on.
func Injected(f fault.Fault, began, until time.Time, struck bool) Ordered {
	what, _, _ := strings.Cut(f.String(), " at ") // when is known better
	out := Ordered{At: began, Until: until, Lasts: !f.Instant(), Kind: Fault, Who: f.A, What: "fault " + what}
	if !struck {
		out.Why = "it had no effect"
	}
	return out
}

// target is what a rule counts the hits of, with the names of its parts.
func target(f chaos.Firing) string {
	var parts []string
	for _, label := range []string{"controller", "worker", "job", "task", "attempt", "group", "op"} {
		if value, there := f.Labels[label]; there {
			parts = append(parts, label+" "+value)
		}
	}
	if parts == nil {
		return "the site"
	}
	return strings.Join(parts, ", ")
}

// Call is one that was seen on its way.
type Call struct {
	Method   string // "RunTask"
	From, To string // names of participants; who it was to may not be known
	About    []Attempt
	Sent     time.Time
	// Arrived is when its handler began, Ended when its caller had an answer or gave up. Zero: never, or not yet.
	Arrived, Ended time.Time
	// Given is the code with which its handler ended, Got the one that its caller saw. Empty: none, or not yet.
	Given, Got string
	Err        string // what its caller was told; empty: all is well
}

// Train is a row of heartbeats that arrived.
type Train struct {
	Worker string
	First  time.Time
	Every  time.Duration
	Count  int
}

// Merged are the events of several histories, each once, oldest first. A history that begins anew tells of what was before with less
// words than the one before it did.
func Merged(events []*pb.Event) []*pb.Event {
	type key struct {
		at                 int64
		kind               pb.EventKind
		job, worker, slice string
		task, attempt      int32
		state              pb.TaskState
		what               pb.SliceEventKind
		ofTask, ofAttempt  bool
		text               string // of tries alone, which have nothing else to tell them apart
	}
	var all []*pb.Event
	known := map[key]int{}
	for _, e := range events {
		k := key{e.At.AsTime().UnixNano(), e.Kind, e.JobId, e.WorkerId, e.SliceId, e.GetTaskIndex(), e.GetAttemptId(), e.State, e.Slice,
			e.TaskIndex != nil, e.AttemptId != nil, ""}
		if e.Kind == pb.EventKind_EVENT_KIND_DISPATCH_FAILED || e.Kind == pb.EventKind_EVENT_KIND_LEADS {
			k.text = e.Text
		}
		if i, twice := known[k]; twice {
			if all[i].Text == "" {
				all[i] = e
			}
			continue
		}
		known[k] = len(all)
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *pb.Event) int { return a.At.AsTime().Compare(b.At.AsTime()) })
	return all
}

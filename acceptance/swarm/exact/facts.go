package exact

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"iris/acceptance/fault"
	"iris/acceptance/timeline"
	"iris/chaos"
	"iris/iris/controller"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// facts are what a timeline of the story is drawn from; nil: nobody wants one.
type facts struct{ *timeline.Facts }

func (f facts) begin(controllers []*node) {
	if f.Facts == nil {
		return
	}
	f.Began = epoch
	for _, c := range controllers {
		f.Controllers = append(f.Controllers, c.name)
	}
}

func (f facts) end(at time.Time) {
	if f.Facts != nil {
		f.Ended = at
	}
}

// watch takes the events of what is committed.
func (f facts) watch(c *state.Cluster) {
	if f.Facts != nil {
		c.Watch(func(e state.Event) { f.Events = append(f.Events, controller.EventProto(e)) })
	}
}

func (f facts) leads(id string, at time.Time) {
	if f.Facts != nil {
		f.Events = append(f.Events, &pb.Event{At: timestamppb.New(at), Kind: pb.EventKind_EVENT_KIND_LEADS, Text: id})
	}
}

// done is something that was done to the cluster on purpose.
func (f facts) done(o timeline.Ordered) {
	if f.Facts != nil {
		f.Faults = append(f.Faults, o)
	}
}

// harmed is a fault that is over.
func (f facts) harmed(h *harm, at time.Time) {
	if f.Facts != nil && h.Kind != fault.KindCrash && h.Kind != fault.KindRestart { // those were done
		f.done(timeline.Injected(h.Fault, h.began, at, h.struck))
	}
}

// struck is a fault at a chaos site that strikes what x does there.
func (f facts) struck(h *harm, x string, at time.Time) {
	if f.Facts != nil {
		f.done(timeline.Fired(chaos.Firing{At: at, Site: h.Site, Nth: h.fired, Action: "fail", Labels: chaos.Labels{h.Label(): x}}))
	}
}

package leader_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/leader"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// history is a leader and all that could happen to it. What does happen follows from a seed and from what the leader did.
type history struct {
	dice   *rand.Rand
	now    time.Time
	leader *leader.Leader
	jobs   int // that were launched
	ended  int // of them
	log    []entry
	said   []string       // a line for each thing that was decided
	kinds  map[string]int // commands, by type
}

// entry is one of the log.
type entry struct {
	at       time.Time
	commands []state.Command
}

func config() leader.Config {
	pace := state.Pace{
		ScaleUpCooldown: 5 * time.Second, ScaleDownCooldown: 10 * time.Second, ScaleDownRate: 60, IdleThreshold: 20 * time.Second,
		BackoffInitial: time.Second, BackoffMax: 8 * time.Second, QuotaTimeout: 10 * time.Second, RequestingTimeout: 20 * time.Second,
		BootTimeout: 30 * time.Second, InitTimeout: 40 * time.Second, UnhealthyTimeout: 20 * time.Second, ShortLived: 10 * time.Second,
	}
	var groups []state.Group
	for i, name := range []string{"one", "two"} {
		groups = append(groups, state.Group{
			GroupConfig: vm.GroupConfig{Name: name, MaxSlices: 3, MinSlices: i, Zones: []string{"a", "b"}, VMsPerSlice: i + 1},
			VMs:         i + 1, Capacity: state.Resources{CPUMillis: 8000, MemoryBytes: 1 << 34}, Rank: i, Pace: pace,
		})
	}
	return leader.Config{
		WorkerTimeout: 30 * time.Second, Groups: groups, EvaluationInterval: 5 * time.Second,
		Policy:    state.Policy{NoWorkerGrace: 20 * time.Second, DispatchRounds: 3, DispatchPause: time.Second, TimeoutSlack: 5 * time.Second},
		Retention: state.Retention{Jobs: 5, Age: 5 * time.Minute, WorkerAge: 2 * time.Minute},
	}
}

func newHistory(seed uint64) *history {
	h := &history{dice: rand.New(rand.NewPCG(seed, 0)), now: start, kinds: map[string]int{}}
	h.lead(state.New(config().Policy))
	return h
}

// lead begins a term.
func (h *history) lead(c *state.Cluster) {
	h.leader = leader.New(config(), c)
	h.effects(h.leader.Begin(h.now))
}

// live goes through a number of steps.
func (h *history) live(steps int) {
	for range steps {
		wake := h.leader.Next(h.now)
		switch h.dice.IntN(20) {
		case 0:
			h.now = wake.Add(time.Duration(h.dice.IntN(40)) * time.Second) // held up
		case 1, 2, 3, 4, 5:
			h.now = wake
		default:
			h.now = h.now.Add(min(wake.Sub(h.now), time.Duration(h.dice.IntN(4))*time.Second))
		}
		if h.leader.Forgive(wake, h.now); h.dice.IntN(100) == 0 {
			h.lead(h.leader.Cluster()) // the next term, with the same log
		}
		var asks []leader.Ask
		for range h.dice.IntN(5) {
			asks = append(asks, h.ask())
		}
		h.step(asks)
	}
}

// step has the leader decide, and writes down what it did.
func (h *history) step(asks []leader.Ask) leader.Step {
	s := h.leader.Step(h.now, asks)
	if len(s.Commands) > 0 {
		h.log = append(h.log, entry{h.now, s.Commands})
		bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(state.EncodeEntry(h.now, s.Commands))
		h.say("entry %x %v", bytes, err)
	}
	for _, c := range s.Commands {
		h.kinds[fmt.Sprintf("%T", c)]++
	}
	for _, at := range state.States {
		if at.Terminal() {
			h.ended += h.leader.Change().Jobs[at]
		}
	}
	h.say("errors %v, fleet %v, next %v", s.Errors, s.Fleet, h.leader.Next(h.now).Sub(h.now))
	h.effects(s.Effects)
	why := h.leader.Waits(h.now)
	for i, j := range h.leader.Cluster().Queue() {
		if i == 5 {
			break
		}
		reason := why(j, j.Waiting()[0])
		h.say("%s waits: %v %s", j.ID, reason.Kind, reason.Text)
	}
	return s
}

func (h *history) effects(effects []state.Effect) {
	for _, e := range effects {
		if run, ok := e.(state.Run); ok {
			h.say("run %s on %s", run.Attempt.UID, run.Attempt.Worker)
		} else {
			h.say("%T%+v", e, e)
		}
	}
}

func (h *history) say(format string, args ...any) {
	h.said = append(h.said, fmt.Sprintf("%v: ", h.now.Sub(start))+fmt.Sprintf(format, args...))
}

// ask is something that somebody asks for.
func (h *history) ask() leader.Ask {
	switch h.dice.IntN(12) {
	case 0:
		return decided(h.job())
	case 1:
		if all := h.leader.Cluster().Queue(); len(all) > 0 {
			return decided(state.CancelJob{ID: all[h.dice.IntN(len(all))].ID, Reason: "terminated by a user"})
		}
	case 3:
		r, drains := h.registration(fmt.Sprintf("w-%d", h.dice.IntN(4)), nil), h.dice.IntN(8) == 0
		return func(l *leader.Leader) []state.Command { return l.Register(r, drains) }
	case 4, 5:
		return h.platform()
	case 2, 6:
		return h.machine()
	}
	workers := h.leader.Cluster().Workers()
	if len(workers) == 0 {
		return nil
	}
	return h.word(workers[h.dice.IntN(len(workers))])
}

func decided(c state.Command) leader.Ask {
	return func(*leader.Leader) []state.Command { return []state.Command{c} }
}

func (h *history) job() state.SubmitJob {
	replicas := int32(1 + h.dice.IntN(4))
	spec := &pb.JobSpec{
		Name: fmt.Sprintf("job-%d", h.jobs), Replicas: &replicas, Exclusive: h.dice.IntN(4) == 0,
		Resources:         &pb.Resources{CpuMillis: 1000 * int64(1+h.dice.IntN(8)), MemoryBytes: 1 << 20},
		Entrypoint:        &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: "f"}}},
		Environment:       map[string]string{"a": "1", "b": "2", "c": "3"},
		MaxRetriesFailure: proto.Int32(2), Timeout: durationpb.New(30 * time.Second), Priority: pb.PriorityBand(h.dice.IntN(4)),
	}
	switch h.dice.IntN(6) {
	case 0:
		spec.Coscheduling = &pb.Coscheduling{GroupBy: state.AttributeSlice}
	case 1:
		spec.Coscheduling = &pb.Coscheduling{GroupBy: state.AttributeWorker}
	case 2:
		spec.SchedulingTimeout = durationpb.New(10 * time.Second)
	case 3:
		spec.Resources.CpuMillis = 100_000
		spec.SchedulingTimeout = durationpb.New(10 * time.Second)
	}
	h.jobs++
	return state.SubmitJob{ID: spec.Name, Spec: spec}
}

// registration is that of a worker that is there, or was started again.
func (h *history) registration(id string, attributes map[string]string) state.RegisterWorker {
	r := state.RegisterWorker{
		ID: id, Incarnation: "1", Address: id, Attributes: attributes,
		Capacity: state.Resources{CPUMillis: 8000, MemoryBytes: 1 << 34},
	}
	if w := h.leader.Cluster().Worker(id); w != nil {
		if r.Incarnation = w.Incarnation; h.dice.IntN(3) == 0 {
			r.Incarnation += "1"
		}
		r.Reports = h.reports(w)
	}
	return r
}

// word is what comes of a worker: a heartbeat, a report, a sign of life, or an order that could not be delivered.
func (h *history) word(w *state.Worker) leader.Ask {
	now, id, incarnation, reports, drains := h.now, w.ID, w.Incarnation, h.reports(w), h.dice.IntN(8) == 0
	switch held := w.Held(); h.dice.IntN(6) {
	case 0:
		return func(l *leader.Leader) []state.Command { return l.Observe(id, incarnation, reports) }
	case 1:
		return func(l *leader.Leader) []state.Command { l.Heard(now, id, drains); return nil }
	case 2:
		if len(held) > 0 {
			return decided(state.FailDispatch{UID: held[h.dice.IntN(len(held))].UID, Cause: "it does not answer"})
		}
	}
	return func(l *leader.Leader) []state.Command { return l.Heartbeat(now, id, incarnation, drains, reports) }
}

// reports are about most of what a worker has.
func (h *history) reports(w *state.Worker) []state.Report {
	var reports []state.Report
	for _, a := range w.Held() {
		states := []state.State{state.Building, state.Running, state.Running, state.Running, state.Succeeded, state.Failed, state.Killed}
		if n := h.dice.IntN(len(states) + 1); n < len(states) {
			reports = append(reports, state.Report{UID: a.UID, State: states[n]})
		}
	}
	return reports
}

// platform is what a platform says: that one slice is refused or gone, or its list of all.
func (h *history) platform() leader.Ask {
	group := config().Groups[h.dice.IntN(2)]
	began := h.now.Add(-time.Duration(h.dice.IntN(3)) * time.Second)
	var all []state.ObserveSlice
	for _, s := range h.leader.Cluster().Slices() {
		switch {
		case s.Group != group.Name || h.dice.IntN(8) == 0: // the list lacks some
		case s.State == vm.Requesting && h.dice.IntN(3) == 0:
			return decided(state.RefuseSlice{ID: s.ID, Why: state.Refusal(1 + h.dice.IntN(4)), Cause: "no"})
		case s.State == vm.Stopping && h.dice.IntN(2) == 0:
			return func(l *leader.Leader) []state.Command { return l.Terminated(s.ID) }
		default:
			all = append(all, h.sight(s, group.VMs))
		}
	}
	if len(all) > 0 && h.dice.IntN(4) == 0 {
		return func(l *leader.Leader) []state.Command { return l.Seen(all[0]) }
	}
	return func(l *leader.Leader) []state.Command { return l.Listed(group.Name, began, all) }
}

// sight is how a platform shows a slice: its machines mostly run, and seldom fail.
func (h *history) sight(s *state.Slice, machines int) state.ObserveSlice {
	out := state.ObserveSlice{ID: s.ID, Group: s.Group, Zone: s.Zone}
	for i := range machines {
		v := vm.VM{ID: fmt.Sprintf("%s-vm-%d", s.ID, i), WorkerID: fmt.Sprintf("%s-%d", s.ID, i), State: vm.Initializing, ChangedAt: s.Requested}
		switch h.dice.IntN(100) {
		case 0:
			v.State = vm.Preempted
		case 1:
			v.State = vm.Failed
		case 2, 3, 4:
			v.State = vm.Booting
		}
		out.VMs = append(out.VMs, v)
	}
	return out
}

// machine has the worker of a machine come up.
func (h *history) machine() leader.Ask {
	var machines []state.RegisterWorker
	for _, s := range h.leader.Cluster().Slices() {
		for _, v := range s.VMs {
			machines = append(machines, h.registration(v.WorkerID, map[string]string{state.AttributeSlice: s.ID}))
		}
	}
	if len(machines) == 0 {
		return nil
	}
	return decided(machines[h.dice.IntN(len(machines))])
}

// String is all that was decided.
func (h *history) String() string { return strings.Join(h.said, "\n") }

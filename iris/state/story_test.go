package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

// policy is the one of a local cluster, with a second round of dispatch.
var policy = Policy{
	NoWorkerGrace: 20 * time.Second, DispatchRounds: 2, DispatchPause: 5 * time.Second, TimeoutSlack: time.Second,
}

// A story drives a cluster through commands and verifies all invariants after each.
type story struct {
	t interface {
		Helper()
		Fatalf(string, ...any)
	}
	c          *Cluster
	start, now time.Time
	told       []Event  // and not printed
	effects    []string // of the last command
	err        error    // of the last command
}

func tell(t *testing.T) *story {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &story{t: t, c: New(policy), start: start, now: start}
	s.c.Watch(s.watch)
	return s
}

func (s *story) watch(e Event) { s.told = append(s.told, e) }

// eventText is an event as a line.
func eventText(e Event, since time.Time) string {
	text := fmt.Sprintf("%gs %s", e.At.Sub(since).Seconds(), strings.TrimPrefix(e.Kind.String(), "EVENT_KIND_"))
	if e.Job != "" {
		text += " " + e.Job
	}
	if e.Task >= 0 {
		text += fmt.Sprintf("/%d", e.Task)
	}
	if e.Attempt >= 0 {
		text += fmt.Sprintf("/%d", e.Attempt)
	}
	if e.Worker != "" {
		text += " " + e.Worker
	}
	if e.State != 0 {
		text += " " + e.State.String()
	}
	return text + quoted(e.Text)
}

func (s *story) apply(cmd Command) {
	s.t.Helper()
	effects, err := s.c.Apply(s.now, cmd)
	s.effects, s.err = effectTexts(effects), err
	if broken := s.c.Check(); broken != nil {
		s.t.Fatalf("after %+v:\n%v\n%s", cmd, broken, s.c.Describe(s.start))
	}
}

func effectTexts(effects []Effect) []string {
	var texts []string
	for _, e := range effects {
		switch e := e.(type) {
		case Run:
			texts = append(texts, fmt.Sprintf("run %s on %s", e.Attempt.UID, e.Attempt.Worker))
		case Stop:
			texts = append(texts, fmt.Sprintf("stop %s on %s", e.UID, e.Worker))
		case CreateSlice:
			texts = append(texts, fmt.Sprintf("create %s of %s in %s", e.ID, e.Group, e.Zone))
		case TerminateSlice:
			texts = append(texts, fmt.Sprintf("terminate %s of %s", e.ID, e.Group))
		}
	}
	return texts
}

// submit launches a job of one task of 1 CPU and 1 GiB, except for what the edits change.
func (s *story) submit(id string, edits ...edit) {
	s.t.Helper()
	spec := correctSpec(append([]edit{named(id)}, edits...)...)
	if err := Validate(id, spec); err != nil {
		s.t.Fatalf("%v", err)
	}
	s.apply(SubmitJob{ID: id, Spec: spec})
}

func (s *story) cancel(id, reason string) {
	s.t.Helper()
	s.apply(CancelJob{ID: id, Reason: reason})
}

// register makes a worker known: 4 CPU and 16 GiB, at an address of its own, in pod p.
func (s *story) register(id, incarnation string, reports ...Report) {
	s.t.Helper()
	s.apply(registration(id, incarnation, reports...))
}

func registration(id, incarnation string, reports ...Report) RegisterWorker {
	return RegisterWorker{
		ID: id, Incarnation: incarnation, Address: id + ":1", Reports: reports,
		Capacity:   Resources{CPUMillis: 4000, MemoryBytes: 16 << 30},
		Attributes: map[string]string{"pod": "p"},
	}
}

// workers registers some as the first incarnation.
func (s *story) workers(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		s.register(id, "1")
	}
}

// assign places tasks, each given as "job/index@worker".
func (s *story) assign(placements ...string) {
	s.t.Helper()
	var cmd Assign
	for _, text := range placements {
		cmd.Placements = append(cmd.Placements, s.placement(text))
	}
	s.apply(cmd)
}

func (s *story) placement(text string) Placement {
	s.t.Helper()
	task, worker, _ := strings.Cut(text, "@")
	job, index, _ := strings.Cut(task, "/")
	p := Placement{Job: job, Worker: worker}
	if _, err := fmt.Sscan(index, &p.Task); err != nil || worker == "" {
		s.t.Fatalf("placement %q is not job/index@worker", text)
	}
	return p
}

// report tells of one attempt what its own worker would.
func (s *story) report(uid string, to State, text ...string) {
	s.t.Helper()
	a := s.c.Attempt(uid)
	if a == nil {
		s.t.Fatalf("there is no attempt %s", uid)
	}
	s.reportAll(a.Worker, Report{UID: uid, State: to, Error: strings.Join(text, "")})
}

// reportAll tells several things at once, as the worker's present incarnation.
func (s *story) reportAll(worker string, reports ...Report) {
	s.t.Helper()
	s.apply(Observe{Worker: worker, Incarnation: s.c.Worker(worker).Incarnation, Reports: reports})
}

// run places tasks and reports that they run.
func (s *story) run(placements ...string) {
	s.t.Helper()
	s.assign(placements...)
	for _, text := range placements {
		p := s.placement(text)
		if attempts := s.c.Job(p.Job).Tasks[p.Task].Attempts; len(attempts) > 0 {
			s.report(attempts[len(attempts)-1].UID, Running)
		}
	}
}

func (s *story) lose(worker string) {
	s.t.Helper()
	s.apply(LoseWorker{ID: worker, Incarnation: s.c.Worker(worker).Incarnation, Cause: "no heartbeat for 60s"})
}

func (s *story) failDispatch(uid string) {
	s.t.Helper()
	worker := s.c.Attempt(uid).Worker
	s.apply(FailDispatch{UID: uid, Cause: fmt.Sprintf("dispatch to %s failed 4 times: down", worker)})
}

// pass lets time go by and answers the deadlines that come, each at its instant.
func (s *story) pass(d time.Duration) {
	s.t.Helper()
	for end := s.now.Add(d); ; {
		at, ok := s.c.Next()
		if !ok || at.After(end) {
			s.now = end
			return
		}
		s.now = at
		for _, due := range s.c.Due(s.now) {
			if due.Kind != BackoffDeadline {
				s.apply(Expire{Deadline: due, Reason: "no worker has a GPU"})
			}
		}
	}
}

// is expects the state and error of a job ("j"), a task ("j/0") or an attempt ("j/0/0").
func (s *story) is(what string, state State, text string) {
	s.t.Helper()
	gotState, gotText := s.look(what)
	if gotState != state || gotText != text {
		s.t.Fatalf("%s is %v %q, not %v %q\n%s", what, gotState, gotText, state, text, s.c.Describe(s.start))
	}
}

func (s *story) look(what string) (State, string) {
	s.t.Helper()
	if a := s.c.Attempt(what); a != nil {
		return a.State, a.Error
	}
	id, index, isTask := strings.Cut(what, "/")
	j := s.c.Job(id)
	if j == nil {
		s.t.Fatalf("there is no job %s", id)
	}
	if !isTask {
		return j.State, j.Error
	}
	i := 0
	if _, err := fmt.Sscan(index, &i); err != nil || i >= len(j.Tasks) || strings.Contains(index, "/") {
		s.t.Fatalf("there is no %s", what)
	}
	return j.Tasks[i].State, j.Tasks[i].Error
}

// history expects the states of all attempts of a task, in order.
func (s *story) history(task string, states ...State) {
	s.t.Helper()
	id, index, _ := strings.Cut(task, "/")
	i := 0
	if _, err := fmt.Sscan(index, &i); err != nil {
		s.t.Fatalf("%q is not a task", task)
	}
	var got []State
	for _, a := range s.c.Job(id).Tasks[i].Attempts {
		got = append(got, a.State)
	}
	if !slices.Equal(got, states) {
		s.t.Fatalf("the attempts of %s are %v, not %v", task, got, states)
	}
}

// did expects the effects of the last command.
func (s *story) did(effects ...string) {
	s.t.Helper()
	if !slices.Equal(s.effects, effects) {
		s.t.Fatalf("the effects are %q, not %q", s.effects, effects)
	}
}

// refused expects that the last command was refused.
func (s *story) refused(kind Kind, text string) {
	s.t.Helper()
	e, ok := s.err.(*Error)
	if !ok || e.Kind != kind || e.Text != text {
		s.t.Fatalf("the error is %v, not %v: %s", s.err, kind, text)
	}
}

// free expects what is left of a worker, in whole cores.
func (s *story) free(worker string, cores int64) {
	s.t.Helper()
	if got := s.c.Worker(worker).Free().CPUMillis; got != cores*1000 {
		s.t.Fatalf("%s has %d of 1000 cores free, not %d cores", worker, got, cores)
	}
}

// Budgets and times as edits.

func retries(n int32) edit { return func(s *pb.JobSpec) { s.MaxRetriesFailure = proto.Int32(n) } }
func preemptions(n int32) edit {
	return func(s *pb.JobSpec) { s.MaxRetriesPreemption = proto.Int32(n) }
}
func taskFailures(n int32) edit    { return func(s *pb.JobSpec) { s.MaxTaskFailures = proto.Int32(n) } }
func timeout(d time.Duration) edit { return func(s *pb.JobSpec) { s.Timeout = durationpb.New(d) } }
func schedulingTimeout(d time.Duration) edit {
	return func(s *pb.JobSpec) { s.SchedulingTimeout = durationpb.New(d) }
}
func exclusive(s *pb.JobSpec) { s.Exclusive = true }
func gang(n int32) edit {
	return func(s *pb.JobSpec) { replicated(n)(s); grouped("pod")(s) }
}

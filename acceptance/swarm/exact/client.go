package exact

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"iris/acceptance/swarm/story"
	"iris/iris/leader"
	pb "iris/iris/proto"
	"iris/iris/state"
)

const clientTimeout = 10 * time.Second // of one RPC of a client

// launch is a job of the story, and what its client knows of it.
type launch struct {
	*story.Job
	sim      *sim
	number   int
	id       string
	spec     *pb.JobSpec
	accepted bool // the client was told that it is launched
	refused  bool // that it never will be
	stopped  bool // that it is stopped
	stopping bool // somebody has asked for that
	again    bool // it was forgotten, and another of its id may have been launched
	seen     state.State
	ended    ending
	runs     []run              // what workers really ran of it
	first    [1]run             // room for what is most often all of it
	stranded int64              // since when nobody could run what lost its worker; 0: somebody could
	tried    map[int32][]string // by task, where its dispatch failed in this round
}

// beginJobs plans what clients do.
func (s *sim) beginJobs() {
	s.jobs = make([]launch, len(s.story.Jobs))
	s.coming = make([]*launch, 0, len(s.jobs))
	for i := range s.jobs {
		j := &s.jobs[i]
		j.Job, j.sim, j.number, j.id = &s.story.Jobs[i], s, i, story.JobID(i)
		j.runs = j.first[:0]
		if j.Twice {
			s.plan(int64(j.At)+second, func() { j.submit(500 * millisecond) })
		}
		if j.Stopped > 0 {
			s.plan(int64(j.Stopped), func() { j.stop(500 * millisecond) })
		}
		s.coming = append(s.coming, j)
	}
	slices.SortStableFunc(s.coming, func(a, b *launch) int { return cmp.Compare(a.At, b.At) })
	s.nextLaunch()
}

// nextLaunch plans the next one only: a queue is the faster, the less there is in it.
func (s *sim) nextLaunch() {
	if len(s.coming) > 0 {
		s.queue.push(int64(s.coming[0].At), nil, launches{s.coming[0]})
		s.coming = s.coming[1:]
	}
}

// launched is the job with this id.
func (s *sim) launched(id string) *launch {
	n := 0
	for _, digit := range id[len("j-"):] {
		n = 10*n + int(digit-'0')
	}
	return &s.jobs[n]
}

// launches is when somebody launches a job.
type launches struct{ *launch }

func (l launches) happen() {
	l.sim.nextLaunch()
	l.submit(500 * millisecond)
}

// submit tries until somebody says that the job is launched, or cannot be.
func (j *launch) submit(pause int64) {
	s := j.sim
	if j.seen.Terminal() {
		return // its id is for nobody else
	}
	if j.spec == nil {
		j.spec = s.story.Demand(j.number, bundle)
	}
	s.ask(s.client, clientTimeout, submission{j, pause})
}

type submission struct {
	*launch
	pause int64
}

func (j submission) ask(*leader.Leader) []state.Command {
	return []state.Command{state.SubmitJob{ID: j.id, Spec: j.spec}}
}

func (j submission) answer(_ *term, errs []error) answer { return answer{err: errs[0]} }

func (j submission) done(code codes.Code, said answer) {
	s := j.sim
	switch {
	case code != codes.OK:
		s.again(j.pause, j.submit)
	case said.err != nil:
		j.refused = !j.accepted
	default:
		j.accepted = true
		if s.fragile && s.coins.IntN(4) == 0 {
			s.after(s.between(0, time.Minute), j.look)
		}
	}
}

// bundle is the workspace of those that have one.
const bundle = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// again tries something again, as long as the story goes on.
func (s *sim) again(pause int64, try func(pause int64)) {
	s.after(int64(float64(pause)*(0.9+0.2*s.coins.Float64())), func() { try(min(2*pause, 5*second)) })
}

// stop stops the job, once it is known to be launched.
func (j *launch) stop(pause int64) {
	s := j.sim
	if j.refused || j.seen.Terminal() {
		return
	}
	if !j.accepted {
		s.again(pause, j.stop)
		return
	}
	j.stopping = true
	s.ask(s.client, clientTimeout, cancellation{j, pause})
}

type cancellation struct {
	*launch
	pause int64
}

func (j cancellation) ask(*leader.Leader) []state.Command {
	return []state.Command{state.CancelJob{ID: j.id, Reason: "stopped by its owner"}}
}

func (j cancellation) answer(_ *term, errs []error) answer { return answer{err: errs[0]} }

func (j cancellation) done(code codes.Code, said answer) {
	s := j.sim
	if code != codes.OK {
		s.again(j.pause, j.stop)
		return
	}
	if said.err != nil && !j.again {
		s.violate("job %s was launched and cannot be stopped: %w", j.id, said.err)
	}
	j.stopped = true
	j.look()
}

// look asks for the state of the job. What was over when it was asked is over for ever, and what was launched is known. An
// answer may be overtaken by those to later questions.
func (j *launch) look() { j.sim.ask(j.sim.client, clientTimeout, question{j, j.seen, j.stopped}) }

type question struct {
	*launch
	saw        state.State // what the client knew when it asked
	wasStopped bool
}

func (j question) ask(*leader.Leader) []state.Command { return nil }

func (j question) answer(t *term, _ []error) answer {
	if job := t.leads.Cluster().Job(j.id); job != nil {
		return answer{known: true, is: job.State}
	}
	return answer{}
}

func (j question) done(code codes.Code, said answer) {
	s := j.sim
	switch {
	case code != codes.OK:
	case !said.known:
		if !j.again {
			s.violate("job %s was launched and is not known", j.id)
		}
	case j.saw.Terminal() && !j.again && said.is != j.saw:
		s.violate("a client saw job %s %v, and then %v", j.id, j.saw, said.is)
	case j.wasStopped && !said.is.Terminal() && !j.again:
		s.violate("job %s was stopped and is %v", j.id, said.is)
	default:
		if !j.seen.Terminal() || j.again {
			j.seen = said.is
		}
		if !said.is.Terminal() && len(s.ongoing) > 0 {
			s.after(s.between(5*time.Second, 2*time.Minute), j.look)
		}
	}
}

package keeper

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

const (
	starting = pb.KeptAttempt_PHASE_STARTING
	running  = pb.KeptAttempt_PHASE_RUNNING
	ended    = pb.KeptAttempt_PHASE_ENDED
	refused  = pb.KeptAttempt_PHASE_REFUSED
	lost     = pb.KeptAttempt_PHASE_LOST
)

// runningDelay is how long it takes to tell that an attempt runs. Of one that has ended by then, that alone is told.
const runningDelay = 5 * time.Millisecond

// attempt is one that the keeper was told to run. The keeper's lock guards all but uid, note and lapse.
type attempt struct {
	uid         string
	note, lapse []byte
	began       time.Time // zero for one of an earlier keeper
	id          runtime.ID
	session     *runtime.ID // for one of an earlier keeper: its session

	phase   pb.KeptAttempt_Phase
	task    runtime.Task // nil while it starts, and for one of an earlier keeper
	stopAt  *time.Time   // when it is to be gone; nil: nobody has asked
	verdict []byte
	doom    string // why its end counts as lost
	exit    exit
	text    string
	dirty   bool // the attached worker is to be told
}

func (a *attempt) over() bool { return a.phase == ended || a.phase == refused || a.phase == lost }

func (a *attempt) proto(now time.Time) *pb.KeptAttempt {
	out := &pb.KeptAttempt{Uid: a.uid, Phase: a.phase, Verdict: a.verdict, Error: a.text}
	if !a.began.IsZero() {
		out.Age = durationpb.New(now.Sub(a.began))
	}
	if a.phase == ended {
		out.Exit = a.exit.proto()
	}
	return out
}

// entry is what the record says of it; false: nothing yet.
func (a *attempt) entry() (entry, bool) {
	e := entry{UID: a.uid, Process: &a.id, Session: a.session}
	switch a.phase {
	case running:
	case ended:
		e.Exit, e.Verdict = &a.exit, a.verdict
	case lost:
		e.Lost = a.text
	default:
		return entry{}, false
	}
	return e, true
}

// attempts are all that a keeper holds, and the worker that it holds them for.
type attempts struct {
	runtime runtime.Runtime
	logs    *logDir
	record  *record
	all     sync.WaitGroup // of those that run
	moved   chan struct{}  // something is over, or a worker has come or gone

	mu         sync.Mutex
	held       map[string]*attempt
	session    *session // of the worker that is attached; nil: none is
	generation int64
	alone      time.Time // since when none is
	lease      time.Time // when attempts with a lapse have to be gone
	expiry     *time.Timer
	closing    bool
}

func newAttempts(r runtime.Runtime) *attempts {
	k := &attempts{runtime: r, held: map[string]*attempt{}, moved: make(chan struct{}, 1), alone: time.Now()}
	k.expiry = time.AfterFunc(time.Hour, k.expire)
	k.expiry.Stop()
	return k
}

// entries are what the record begins anew with.
func (k *attempts) entries(self identity) []entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := []entry{{Keeper: &self}, {Generation: k.generation}}
	for _, uid := range slices.Sorted(maps.Keys(k.held)) {
		if e, ok := k.held[uid].entry(); ok {
			all = append(all, e)
		}
	}
	return all
}

// errReplaced is what a worker hears that is not the one any more.
var errReplaced = status.Error(codes.FailedPrecondition, "another process has taken over this keeper")

// errEnding is what a worker hears that comes too late.
var errEnding = status.Error(codes.Unavailable, "this keeper is about to end")

// follow carries out the orders of one message.
func (k *attempts) follow(s *session, in *pb.AttachRequest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.session != s:
		return errReplaced
	case k.closing:
		return errEnding
	}
	if in.Lease != nil {
		k.lease = time.Now().Add(in.Lease.AsDuration())
		k.expiry.Reset(in.Lease.AsDuration())
	}
	k.forget(in.Forget)
	for _, order := range in.Start {
		k.start(order)
	}
	for _, order := range in.Stop {
		if a := k.held[order.Uid]; a != nil {
			k.stop(a, order.Grace.AsDuration(), order.Verdict)
		}
	}
	if in.ShutDown {
		k.close("its worker was shut down")
	}
	return nil
}

func (k *attempts) start(order *pb.StartOrder) {
	if a := k.held[order.Uid]; a != nil {
		k.tell(a) // the answer to the first order was lost
		return
	}
	a := &attempt{uid: order.Uid, note: order.Note, lapse: order.Lapse, phase: starting, began: time.Now()}
	k.held[a.uid] = a
	k.all.Go(func() { k.run(a, order) })
}

// run is the life of an attempt.
func (k *attempts) run(a *attempt, order *pb.StartOrder) {
	log := k.logs.open(a.uid)
	task, err := k.runtime.Start(context.Background(), runtime.Spec{ // a stop that comes too early is followed below
		UID: a.uid, Argv: order.Argv, Env: order.Env, Inherited: order.Inherited, Dir: order.Dir, Log: log.add,
	})
	if err != nil {
		k.mu.Lock()
		a.phase, a.text = refused, err.Error()
		k.mu.Unlock()
		k.inform(a)
		return
	}
	k.mu.Lock()
	a.id, _ = runtime.Identity(task)
	a.task, a.phase = task, running
	if a.stopAt != nil {
		task.Stop(time.Until(*a.stopAt))
	}
	if len(a.lapse) > 0 && !time.Now().Before(k.lease) {
		k.stop(a, 0, a.lapse)
	}
	k.mu.Unlock()
	k.record.add(entry{UID: a.uid, Process: &a.id})
	soon := time.AfterFunc(runningDelay, func() { k.inform(a) })

	<-task.Done()
	soon.Stop()
	k.logs.close(log)
	k.mu.Lock()
	if a.doom != "" {
		a.phase, a.text = lost, a.doom
	} else {
		a.phase, a.exit = ended, exitOf(task.Exit())
	}
	e, _ := a.entry()
	k.mu.Unlock()
	k.record.add(e)
	k.inform(a)
}

// stop has an attempt end. The first verdict counts, and the earliest deadline.
func (k *attempts) stop(a *attempt, grace time.Duration, verdict []byte) {
	if a.over() {
		return
	}
	if a.stopAt == nil {
		a.verdict = verdict
	}
	if at := time.Now().Add(grace); a.stopAt == nil || at.Before(*a.stopAt) {
		a.stopAt = &at
	}
	if a.task != nil {
		a.task.Stop(grace)
	}
}

// expire ends what the lease was for.
func (k *attempts) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.lease) {
		return // it was renewed just now
	}
	for _, a := range k.held {
		if len(a.lapse) > 0 {
			k.stop(a, 0, a.lapse)
		}
	}
}

func (k *attempts) forget(uids []string) {
	var gone []string
	for _, uid := range uids {
		if a := k.held[uid]; a != nil && a.over() {
			delete(k.held, uid)
			gone = append(gone, uid)
		}
	}
	if len(gone) > 0 {
		k.record.add(entry{Forget: gone})
		k.stir()
	}
}

// close kills what runs, which is lost for the reason given. Nothing is started any more.
func (k *attempts) close(why string) {
	k.closing = true
	for _, a := range k.held {
		if !a.over() {
			a.doom = why
			k.stop(a, 0, nil)
		}
	}
	k.stir()
}

// inform tells the attached worker of a change.
func (k *attempts) inform(a *attempt) {
	k.mu.Lock()
	k.tell(a)
	s := k.session
	k.mu.Unlock()
	k.spread(s)
}

// tell has it told by the next spread.
func (k *attempts) tell(a *attempt) {
	if k.session != nil && !a.dirty {
		a.dirty = true
		k.session.dirty = append(k.session.dirty, a)
	}
	if a.over() {
		k.stir()
	}
}

func (k *attempts) stir() { stir(k.moved) }

func stir(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

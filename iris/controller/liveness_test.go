package controller_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/controller"
	"iris/iris/journal"
	pb "iris/iris/proto"
	"iris/iris/state"
)

func TestAWorkerIsLostAtExactlyTheTimeout(t *testing.T) {
	inBubble(t, controller.Config{WorkerTimeout: 45 * time.Second}, func(b *bench) {
		w := b.puppet("w-0")
		time.Sleep(30 * time.Second)
		w.beat()
		time.Sleep(45*time.Second - 1)
		if s := b.workerState("w-0"); s != "LIVE" {
			b.Errorf("a nanosecond before the timeout it is %s", s)
		}
		time.Sleep(time.Nanosecond)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("at the timeout it is %s", s)
		}
	})
}

// Two workers of different ages are lost each in its time.
func TestEachWorkerHasItsOwnTimeout(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.puppet("w-0")
		time.Sleep(20 * time.Second)
		b.puppet("w-1")
		time.Sleep(40 * time.Second)
		if first, second := b.workerState("w-0"), b.workerState("w-1"); first != "LOST" || second != "LIVE" {
			b.Errorf("after 60 s they are %s and %s", first, second)
		}
		time.Sleep(20 * time.Second)
		if s := b.workerState("w-1"); s != "LOST" {
			b.Errorf("after 80 s the second is %s", s)
		}
	})
}

func TestAReportIsNoSignOfLife(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("j")
		time.Sleep(59 * time.Second)
		if _, err := w.report(running("j/0/0")); err != nil {
			b.Error(err)
		}
		time.Sleep(time.Second)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("it is %s", s)
		}
		task := b.task("j", 0)
		if got := task.Attempts[0]; got.State != pb.TaskState_TASK_STATE_WORKER_FAILED ||
			got.Error != "lost worker w-0: no heartbeat for 60s" || task.PreemptionCount != 1 {
			b.Errorf("its attempt is %v", got)
		}
	})
}

// slowJournal holds up the loop for as long as a test says, as a machine that has stopped the process would.
type slowJournal struct {
	journal.Journal
	pause   time.Duration
	propose func()          // called for each entry
	old     []journal.Entry // what the log has at the start
}

func newSlowJournal(old ...journal.Entry) *slowJournal {
	j := &slowJournal{Journal: journal.NewMemory(controller.Policy(state.Policy{})), old: old}
	j.propose = func() {
		pause := j.pause
		j.pause = 0
		time.Sleep(pause)
	}
	return j
}

func (j *slowJournal) Lead(ctx context.Context) (journal.Term, error) {
	term, err := j.Journal.Lead(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range j.old {
		e.Apply(term.State())
	}
	return slowTerm{term, j}, nil
}

type slowTerm struct {
	journal.Term
	journal *slowJournal
}

func (t slowTerm) Propose(e journal.Entry) {
	t.journal.propose()
	t.Term.Propose(e)
}

// While the loop is held up nobody's heartbeat is taken (FM-22).
func TestAStallOfTheLoopLosesNobody(t *testing.T) {
	slow := newSlowJournal()
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		beating, silent := b.puppet("w-0"), b.puppet("w-1")
		time.Sleep(45 * time.Second)
		slow.pause = 5 * time.Minute
		defer b.launchMeanwhile("j")()
		time.Sleep(time.Minute)
		go func() { // it waits in the inbox
			if _, err := b.Heartbeat(b.Context(), &pb.HeartbeatRequest{WorkerId: beating.id, Incarnation: "1"}); err != nil {
				b.Error(err)
			}
		}()
		time.Sleep(4 * time.Minute)
		if first, second := b.workerState(beating.id), b.workerState(silent.id); first != "LIVE" || second != "LIVE" {
			b.Errorf("after the stall they are %s and %s", first, second)
		}
		time.Sleep(30*time.Second - 1)
		if s := b.workerState(silent.id); s != "LIVE" {
			b.Errorf("the silent one had less than half the timeout to be heard of again: it is %s", s)
		}
		time.Sleep(time.Nanosecond)
		if first, second := b.workerState(beating.id), b.workerState(silent.id); first != "LIVE" || second != "LOST" {
			b.Errorf("half the timeout after the stall they are %s and %s", first, second)
		}
		time.Sleep(30 * time.Second)
		if s := b.workerState(beating.id); s != "LOST" {
			b.Errorf("after the whole timeout the other one is %s", s)
		}
	})
}

// A heartbeat that waits when its worker's time runs out counts.
func TestAHeartbeatThatWaitsIsHeardFirst(t *testing.T) {
	slow := newSlowJournal()
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		w := b.puppet("w-0")
		for round := range 20 { // chance decides what a loop with two things to do does first
			w.beat()
			time.Sleep(59 * time.Second)
			slow.pause = 1500 * time.Millisecond
			wait := b.launchMeanwhile(fmt.Sprint(round))
			time.Sleep(500 * time.Millisecond)
			w.beat()
			wait()
			if s := b.workerState("w-0"); s != "LIVE" {
				b.Fatalf("round %d: it is %s", round, s)
			}
		}
	})
}

// A stall that is over before the timeout counts as well.
func TestAShortStallIsMadeUpFor(t *testing.T) {
	slow := newSlowJournal()
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		b.puppet("w-0")
		time.Sleep(10 * time.Second)
		slow.pause = 40 * time.Second
		b.launch("j")
		time.Sleep(50*time.Second - 1)
		if s := b.workerState("w-0"); s != "LIVE" {
			b.Errorf("the stall counts as its silence: it is %s", s)
		}
		time.Sleep(time.Nanosecond)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("60 s without the stall it is %s", s)
		}
	})
}

// What the journal knows has the whole timeout from the start of the controller on, even if nobody ever calls.
func TestAReplayedWorkerIsLostAfterTheTimeout(t *testing.T) {
	long := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	old := journal.Entry{At: long, Commands: []state.Command{
		state.RegisterWorker{ID: "w-0", Incarnation: "1", Address: "w-0", Capacity: state.Resources{CPUMillis: 1, MemoryBytes: 1}},
		state.SubmitJob{ID: "j", Spec: spec("j")},
	}}
	inBubble(t, controller.Config{Journal: newSlowJournal(old)}, func(b *bench) {
		if got := b.job("j").SubmittedAt.AsTime(); !got.Equal(long) {
			b.Errorf("the replayed job was submitted at %v", got)
		}
		time.Sleep(time.Minute - 1)
		if s := b.workerState("w-0"); s != "LIVE" {
			b.Errorf("before the timeout it is %s", s)
		}
		time.Sleep(time.Nanosecond)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("at the timeout it is %s", s)
		}
	})
}

func TestAnUnknownWorkerIsToRegisterAgain(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		stranger := &puppet{b: b, id: "w-9", incarnation: "1"}
		if !stranger.beat().RegisterAgain {
			b.Error("an unknown worker is not told to register")
		}
		_, err := stranger.report(running("j/0/0"))
		wantCode(b.T, err, codes.FailedPrecondition, "worker w-9 is not registered, or counts as lost; its next heartbeat says so")

		w := b.puppet("w-0")
		if w.beat().RegisterAgain {
			b.Error("a registered worker is told to register")
		}
		time.Sleep(time.Minute + time.Nanosecond)
		if !w.beat().RegisterAgain {
			b.Error("a lost worker is not told to register")
		}
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		if s := b.workerState("w-0"); s != "LIVE" {
			b.Errorf("registered again it is %s", s)
		}
	})
}

// Whoever registers at an address owns it: the former owner is not taken for alive because somebody answers (FM-24).
func TestARecycledAddressEvictsItsFormerOwner(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		former := b.puppet("w-0")
		b.launch("j")
		if n := len(former.told()); n != 1 {
			b.Fatalf("the job was sent %d times", n)
		}
		heir := &puppet{b: b, id: "w-1", incarnation: "1", address: former.address, millis: former.millis}
		if _, err := heir.register(); err != nil {
			b.Fatal(err)
		}
		if first, second := b.workerState("w-0"), b.workerState("w-1"); first != "LOST" || second != "LIVE" {
			b.Errorf("they are %s and %s", first, second)
		}
		if !former.beat().RegisterAgain {
			b.Error("the former owner is not told to register")
		}
		attempts := b.task("j", 0).Attempts
		want := "lost worker w-0: its address address of w-0 now belongs to w-1"
		if len(attempts) != 2 || attempts[0].Error != want || attempts[1].WorkerId != "w-1" {
			b.Errorf("the attempts are %v", attempts)
		}
		orders := former.told() // whoever listens there
		if last := orders[len(orders)-1]; len(orders) != 2 || last.WorkerId != "w-1" || last.Tasks[0].AttemptUid != "j/0/1" {
			b.Errorf("the address was told %v", orders)
		}
	})
}

func TestAnOlderIncarnationIsRefused(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("j")
		w.incarnation = "2"
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		old := &puppet{b: b, id: "w-0", incarnation: "1", address: "elsewhere"}
		_, err := old.register()
		wantCode(b.T, err, codes.FailedPrecondition, "worker w-0 was started again (incarnation 2); this process must end")
		if !old.beat().RegisterAgain {
			b.Error("the heartbeat of the older incarnation was taken")
		}
		if _, err := old.report(succeeded("j/0/0")); err == nil {
			b.Error("the report of the older incarnation was taken")
		}
		time.Sleep(50 * time.Second)
		old.beat()
		time.Sleep(10 * time.Second)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("the older incarnation's heartbeat kept the newer alive: it is %s", s)
		}
		if got := b.task("j", 0).Attempts[0]; got.State != pb.TaskState_TASK_STATE_WORKER_FAILED || got.Error != "worker w-0 was restarted" {
			b.Errorf("the older incarnation's attempt is %v", got)
		}
	})
}

func TestARegistrationMustBeComplete(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		for _, in := range []*pb.RegisterRequest{
			{Incarnation: "1", Address: "a"}, {WorkerId: "w", Address: "a"}, {WorkerId: "w", Incarnation: "1"},
		} {
			_, err := b.Register(b.Context(), in)
			wantCode(b.T, err, codes.InvalidArgument, "register needs worker_id, incarnation and address")
		}
		_, err := b.Register(b.Context(), &pb.RegisterRequest{WorkerId: "w", Incarnation: "1", Address: "a", Capacity: &pb.Resources{CpuMillis: -1}})
		wantCode(b.T, err, codes.InvalidArgument, "worker w has a negative capacity")
	})
}

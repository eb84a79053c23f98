package controller_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"iris/iris/controller"
	"iris/iris/journal"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// lateJournal commits nothing while a test holds it.
type lateJournal struct {
	journal.Journal
	news chan struct{} // of the one term there is

	mu                  sync.Mutex
	held                bool
	proposed, committed uint64
}

func newLateJournal() *lateJournal {
	return &lateJournal{Journal: journal.NewMemory(controller.Policy(state.Policy{}))}
}

func (j *lateJournal) hold(held bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held = held; !held {
		j.committed = j.proposed
		j.news <- struct{}{}
	}
}

func (j *lateJournal) Lead(ctx context.Context) (journal.Term, error) {
	j.news = make(chan struct{}, 1) // in the bubble
	term, err := j.Journal.Lead(ctx)
	return lateTerm{term, j}, err
}

type lateTerm struct {
	journal.Term
	journal *lateJournal
}

func (t lateTerm) Propose(e journal.Entry) {
	t.Term.Propose(e)
	t.journal.mu.Lock()
	defer t.journal.mu.Unlock()
	if t.journal.proposed++; !t.journal.held {
		t.journal.committed = t.journal.proposed
	}
}

func (t lateTerm) Committed() uint64 {
	t.journal.mu.Lock()
	defer t.journal.mu.Unlock()
	return t.journal.committed
}

func (t lateTerm) News() <-chan struct{} { return t.journal.news }

// What the log may yet lose, nobody has seen: no launch is answered, no order leaves, no result is acknowledged
// (design §4, FM-14).
func TestNothingIsRevealedBeforeItIsCommitted(t *testing.T) {
	late := newLateJournal()
	inBubble(t, controller.Config{Journal: late}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("before")
		if orders := w.told(); len(orders) != 1 {
			b.Fatalf("the worker got %v", orders)
		}

		late.hold(true)
		launched, reported := make(chan error, 1), make(chan *pb.ReportTaskStateResponse, 1)
		go func() {
			_, err := b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: "j", Spec: spec("j")})
			launched <- err
		}()
		go func() {
			out, err := w.report(succeeded("before/0/0"))
			if err != nil {
				b.Error(err)
			}
			reported <- out
		}()
		synctest.Wait()
		if len(launched) > 0 || len(reported) > 0 || len(w.told()) != 1 {
			b.Errorf("with nothing committed: launched %d, acknowledged %d, orders %v", len(launched), len(reported), w.told())
		}

		late.hold(false)
		if err := <-launched; err != nil {
			b.Errorf("the launch ended with %v", err)
		}
		if out := <-reported; len(out.GetAck()) != 1 {
			b.Errorf("the result was answered with %v", out)
		}
		if orders := w.told(); len(orders) != 2 {
			b.Errorf("the worker got %v", orders)
		}
	})
}

// When an entry is committed, later ones may have been decided. What they have ended meanwhile is not sent any more, least of all
// to a process that has come in the place of the one that it was meant for (FM-7).
func TestAnOrderWhoseAttemptEndedBeforeItsCommitNeverLeaves(t *testing.T) {
	late := newLateJournal()
	inBubble(t, controller.Config{Journal: late}, func(b *bench) {
		w := b.puppetOf("w-0", 1)
		b.launch("j", func(s *pb.JobSpec) { s.Resources.CpuMillis = 50_000_000 }) // more than it had
		late.hold(true)
		var registered sync.WaitGroup
		for _, incarnation := range []string{"2", "3"} { // the first is given the job
			registered.Go(func() {
				if _, err := b.Register(b.Context(), &pb.RegisterRequest{WorkerId: w.id, Incarnation: incarnation, Address: w.address,
					Capacity: &pb.Resources{CpuMillis: 50_000_000, MemoryBytes: 1 << 40}}); err != nil {
					b.Error(err)
				}
			})
			synctest.Wait()
		}
		late.hold(false)
		registered.Wait()
		var told []string
		for _, order := range w.told() {
			for _, task := range order.Tasks {
				told = append(told, order.Incarnation+" "+task.AttemptUid)
			}
		}
		if !slices.Equal(told, []string{"3 j/0/1"}) {
			b.Errorf("the worker was told to run %q, want only the second attempt", told)
		}
	})
}

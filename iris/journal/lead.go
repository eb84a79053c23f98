package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"

	"iris/iris/state"
)

// errLost is why a term is over whose controller no longer leads, or has led anew since.
var errLost = errors.New("this controller no longer leads")

// watch follows what raft says about this voter's leadership.
func (r *Raft) watch() {
	for {
		select {
		case leads := <-r.raft.LeaderCh():
			r.hear(leads)
		case <-r.end.done:
			return
		}
	}
}

// hear ends the term whatever raft says: that it leads, it says only if it did not lead before.
func (r *Raft) hear(leads bool) {
	r.mu.Lock()
	r.leads, r.epoch = leads, r.epoch+1
	close(r.changed)
	r.changed = make(chan struct{})
	term := r.term
	r.mu.Unlock()
	if term != nil {
		if err := r.entries.lacking(); err != nil {
			term.finish(fmt.Errorf("%w: %w", errLost, err)) // that is why raft has it step down
		} else {
			term.finish(errLost)
		}
	}
	if leads {
		r.log.Info("this controller leads")
		r.settleAddress()
	} else {
		r.log.Info("this controller no longer leads", "leader", r.Leader())
	}
}

// Lead waits until this controller leads and has applied all that was committed before.
func (r *Raft) Lead(ctx context.Context) (Term, error) {
	for {
		if t := r.leading(); t != nil && t.Err() == nil {
			return nil, errors.New("the term before has not ended")
		}
		epoch, err := r.await(ctx)
		if err != nil {
			return nil, err
		}
		term, err := r.begin(ctx, epoch)
		if term != nil {
			return term, nil
		}
		if over := r.end.over(); over != nil {
			return nil, over
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.log.Debug("a term could not begin", "err", err)
		sleep(ctx, r.config.ElectionTimeout/10) // raft may not have told yet that it does not lead any more
	}
}

// await waits until raft says that this voter leads.
func (r *Raft) await(ctx context.Context) (epoch uint64, err error) {
	for {
		r.mu.Lock()
		leads, epoch, changed := r.leads, r.epoch, r.changed
		r.mu.Unlock()
		if err := errors.Join(r.end.over(), ctx.Err()); err != nil {
			return 0, err
		}
		if leads {
			return epoch, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-r.end.done:
		}
	}
}

// begin begins a term: with a record of its own, after which nothing counts but what is proposed in the term.
func (r *Raft) begin(ctx context.Context, epoch uint64) (Term, error) {
	first, err := encode(Entry{At: time.Now(), Commands: []state.Command{state.SetPolicy{Policy: r.config.Policy}}})
	if err != nil {
		return nil, err
	}
	record := envelope{term: 1 + rand.Uint64N(1<<63)}
	record.add(first)
	if err := r.call(ctx, func() error { return r.raft.Apply(record.seal(), 0).Error() }); err != nil {
		return nil, err
	}
	t := &raftTerm{raft: r, id: record.term, next: 1, news: make(chan struct{}, 1), over: make(chan struct{})}
	if t.state, err = r.machine.enter(t); err != nil {
		err = fmt.Errorf("the state cannot be copied: %w", err)
		r.end.end(err)
	}
	if t.state == nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.epoch != epoch || r.end.over() != nil {
		return nil, errLost
	}
	r.term = t
	return t, nil
}

// call does what waits for raft, and stops waiting when the context ends or the journal is over.
func (r *Raft) call(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	r.mu.Lock()
	if r.callsOver {
		r.mu.Unlock()
		return r.end.over()
	}
	r.calls.Go(func() { result <- do() })
	r.mu.Unlock()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.end.done:
		return r.end.over()
	}
}

// settleAddress tells the other voters where this one is, if it moved.
func (r *Raft) settleAddress() {
	self, address := raft.ServerID(r.config.ID), raft.ServerAddress(r.config.Address)
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.ID == self && s.Address != address {
			r.work.Go(func() {
				if err := r.raft.AddVoter(self, address, 0, 0).Error(); err != nil {
					r.log.Debug("the voters cannot be told where this one is", "err", err)
				}
			})
		}
	}
}

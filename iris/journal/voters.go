package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Voter is a controller that has the log.
type Voter struct {
	ID, Address string
	Leader      bool
	// Joining is set for one that was added and has not followed yet: it has no vote.
	Joining bool
}

// Why a change of the voters is refused. Nothing was changed then.
var (
	ErrUnknownVoter = errors.New("there is no such voter")
	ErrLastVoter    = errors.New("it is the only voter; without it the log is lost")
	ErrOnlyVoter    = errors.New("there is no other voter")
	ErrAddressTaken = errors.New("another voter has this address")
	ErrUnreachable  = errors.New("the new voter does not follow: start it first, without bootstrapping it, where the " +
		"others can reach it")
)

// NotLeaderError refuses what only the leader does. What was asked for may have happened, if leadership was lost
// meanwhile; to ask for it again does no harm.
type NotLeaderError struct {
	Leader string // its address, empty if none is known
}

// Error says whom to ask.
func (e *NotLeaderError) Error() string {
	if e.Leader == "" {
		return "this controller does not lead, and no other one is known to: ask again"
	}
	return "this controller does not lead: ask " + e.Leader
}

// Voters are the controllers that have the log, as far as this one knows. It knows for sure if it leads.
func (r *Raft) Voters() ([]Voter, error) {
	if err := r.end.over(); err != nil {
		return nil, err
	}
	_, leader := r.raft.LeaderWithID()
	var voters []Voter
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		voters = append(voters, Voter{
			ID: string(s.ID), Address: string(s.Address), Leader: s.ID == leader, Joining: s.Suffrage != raft.Voter,
		})
	}
	return voters, nil
}

// Others are the addresses of the other voters, as far as this one knows them; none once the journal is over.
func (r *Raft) Others() []string {
	voters, err := r.Voters()
	if err != nil {
		return nil
	}
	var others []string
	for _, v := range voters {
		if v.ID != r.config.ID {
			others = append(others, v.Address)
		}
	}
	return others
}

// AddVoter adds a controller to the voters once it has followed, so that one that cannot be reached costs nothing.
// It waits for that until the context ends. A voter of this id that has another address is replaced; one that has
// this one already is left alone.
func (r *Raft) AddVoter(ctx context.Context, id, address string) error {
	if id == "" || address == "" {
		return errors.New("a voter needs an id and an address")
	}
	voters, err := r.lookUp()
	if err != nil {
		return err
	}
	known := find(voters, id)
	for _, v := range voters {
		if v.Address == address && v.ID != id {
			return fmt.Errorf("%w: %s at %s", ErrAddressTaken, v.ID, address)
		}
	}
	switch {
	case known.Address == address && !known.Joining:
		return nil
	case id == r.config.ID:
		return fmt.Errorf("this is voter %s: restart it with its new address", id)
	case known.ID != "" && known.Address != address:
		if err := r.RemoveVoter(ctx, id); err != nil {
			return err
		}
	}
	server, at := raft.ServerID(id), raft.ServerAddress(address)
	r.peers.forget(server)
	if err := r.change(ctx, func() raft.IndexFuture { return r.raft.AddNonvoter(server, at, 0, 0) }); err != nil {
		return err
	}
	if err := r.followed(ctx, server); errors.Is(err, raft.ErrLeadershipLost) {
		return r.explain(err)
	} else if err != nil {
		return errors.Join(fmt.Errorf("%w: %s at %s: %w", ErrUnreachable, id, address, err), r.dismiss(server))
	}
	return r.change(ctx, func() raft.IndexFuture { return r.raft.AddVoter(server, at, 0, 0) })
}

// followed waits until a new voter has nearly all of the log: until what came while it caught up takes it less than an
// election takes.
func (r *Raft) followed(ctx context.Context, id raft.ServerID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.disk.ctx, cancel)()
	r.mu.Lock()
	lost := r.changed
	r.mu.Unlock()
	for {
		began := time.Now()
		if err := r.peers.await(ctx, lost, id, r.raft.LastIndex()); err != nil {
			return err
		}
		if time.Since(began) < r.config.ElectionTimeout {
			return nil
		}
	}
}

// dismiss takes a voter back that did not follow.
func (r *Raft) dismiss(id raft.ServerID) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*r.config.ElectionTimeout)
	defer cancel()
	return r.change(ctx, func() raft.IndexFuture { return r.raft.RemoveServer(id, 0, 0) })
}

// RemoveVoter removes a controller from the voters: this one too, which then no longer leads, nor ever will. The
// last one stays.
func (r *Raft) RemoveVoter(ctx context.Context, id string) error {
	voters, err := r.lookUp()
	if err != nil {
		return err
	}
	known := find(voters, id)
	if known.ID == "" {
		return fmt.Errorf("%w: %s", ErrUnknownVoter, id)
	}
	if !othersVote(voters, id) {
		return fmt.Errorf("%w: %s", ErrLastVoter, id)
	}
	return r.change(ctx, func() raft.IndexFuture { return r.raft.RemoveServer(raft.ServerID(id), 0, 0) })
}

// Transfer hands leadership to a voter, by default to one that has followed furthest, and waits until this
// controller no longer leads.
func (r *Raft) Transfer(ctx context.Context, id string) error {
	voters, err := r.lookUp()
	if err != nil {
		return err
	}
	if id == r.config.ID {
		return nil // it leads
	}
	to := find(voters, id)
	switch {
	case id != "" && (to.ID == "" || to.Joining):
		return fmt.Errorf("%w: %s", ErrUnknownVoter, id)
	case !othersVote(voters, r.config.ID):
		return ErrOnlyVoter
	}
	return r.explain(r.call(ctx, func() error {
		if id == "" {
			return r.raft.LeadershipTransfer().Error()
		}
		return r.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(to.Address)).Error()
	}))
}

// othersVote says that the group has a vote besides that of id.
func othersVote(voters []Voter, id string) bool {
	return slices.ContainsFunc(voters, func(v Voter) bool { return v.ID != id && !v.Joining })
}

// lookUp is Voters, of a voter that leads.
func (r *Raft) lookUp() ([]Voter, error) {
	if err := r.end.over(); err != nil {
		return nil, err
	}
	if r.raft.State() != raft.Leader {
		return nil, &NotLeaderError{Leader: r.Leader()}
	}
	return r.Voters()
}

func find(voters []Voter, id string) Voter {
	for _, v := range voters {
		if v.ID == id {
			return v
		}
	}
	return Voter{}
}

// change changes the voters, and waits until that is committed.
func (r *Raft) change(ctx context.Context, do func() raft.IndexFuture) error {
	return r.explain(r.call(ctx, func() error { return do().Error() }))
}

// explain makes of what raft says what a caller is told.
func (r *Raft) explain(err error) error {
	for _, lost := range []error{raft.ErrNotLeader, raft.ErrLeadershipLost, raft.ErrLeadershipTransferInProgress} {
		if errors.Is(err, lost) {
			return &NotLeaderError{Leader: r.Leader()}
		}
	}
	return err
}

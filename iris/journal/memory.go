package journal

import (
	"context"
	"errors"

	"iris/iris/state"
)

// Memory is the journal of an ephemeral cluster: it lives and dies with its controller, which always leads, and so it
// keeps nothing. Make it with NewMemory.
type Memory struct {
	policy state.Policy
}

// NewMemory is an empty journal. The policy is that of a new cluster.
func NewMemory(policy state.Policy) *Memory {
	return &Memory{policy: policy}
}

// Lead leads at once, with an empty cluster.
func (m *Memory) Lead(ctx context.Context) (Term, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &memoryTerm{state: state.New(m.policy), news: make(chan struct{}, 1), over: make(chan struct{})}, nil
}

// Leader names nobody: nobody else can lead.
func (m *Memory) Leader() string { return "" }

// Close has nothing to release.
func (m *Memory) Close() error { return nil }

// memoryTerm commits what is proposed at once.
type memoryTerm struct {
	state     *state.Cluster
	committed uint64
	news      chan struct{}
	over      chan struct{}
}

func (t *memoryTerm) State() *state.Cluster { return t.state }
func (t *memoryTerm) Propose(Entry)         { t.committed++ }
func (t *memoryTerm) Committed() uint64     { return t.committed }
func (t *memoryTerm) News() <-chan struct{} { return t.news }
func (t *memoryTerm) Over() <-chan struct{} { return t.over }
func (t *memoryTerm) Err() error            { return errEnded }
func (t *memoryTerm) End()                  { close(t.over) }

// errEnded is why a term is over that its controller ended.
var errEnded = errors.New("the term was ended by its controller")

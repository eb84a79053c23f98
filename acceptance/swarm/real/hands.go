package real

import (
	"fmt"
	"maps"
	"slices"

	"iris/acceptance/fault"
	"iris/chaos"
	"iris/iris/cluster"
	"iris/iris/network"
)

// hands are what faults are done with.
type hands struct {
	*cluster.Manager
	network *network.Memory
	chaos   chaos.Scope
	lives   map[string]*life
}

// life is whether a participant is up: it is down as long as any fault wants that.
type life struct {
	turn  chan struct{} // has one token; a mutex would hold up virtual time while what it guards waits
	kills int
}

func newHands(m *cluster.Manager, n *network.Memory, scope chaos.Scope, participants []string) *hands {
	h := &hands{m, n, scope, map[string]*life{}}
	for _, id := range participants {
		h.lives[id] = &life{turn: make(chan struct{}, 1)}
	}
	return h
}

// Faults are the network's.
func (h *hands) Faults() network.Faults { return h.network.Faults() }

// Kill ends a controller or a worker.
func (h *hands) Kill(id string) error {
	l := h.lives[id]
	if l == nil {
		return fmt.Errorf("there is no %q; there are %v", id, slices.Sorted(maps.Keys(h.lives)))
	}
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.kills++; l.kills > 1 {
		return nil
	}
	return h.Manager.Kill(id)
}

// Revive starts it again, once everybody who killed it wants that.
func (h *hands) Revive(id string) error {
	l := h.lives[id]
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.kills--; l.kills > 0 {
		return nil
	}
	return h.Manager.Revive(id)
}

// Arm arms a chaos rule.
func (h *hands) Arm(text string) (fault.Rule, error) {
	r, err := h.chaos.EnableText(text)
	if err != nil {
		return nil, err // not a rule that is nil
	}
	return rule{r}, nil
}

type rule struct{ *chaos.Rule }

// Fired is how often.
func (r rule) Fired() int { return r.Counts().Fired }

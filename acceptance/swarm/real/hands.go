package real

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/chaos"
	"iris/iris/cluster"
	"iris/iris/journal"
	"iris/iris/network"
)

// hands are what faults are done with.
type hands struct {
	*cluster.Manager
	network *network.Memory
	chaos   chaos.Scope
	groups  []string // that scale
	lives   map[string]*life
}

// life is whether a participant is up: it is down as long as any fault wants that.
type life struct {
	turn  chan struct{} // has one token; a mutex would hold up virtual time while what it guards waits
	kills atomic.Int32
}

func newHands(m *cluster.Manager, n *network.Memory, scope chaos.Scope, c story.Cluster) *hands {
	h := &hands{m, n, scope, nil, map[string]*life{}}
	for _, g := range c.Groups {
		h.groups = append(h.groups, g.Name)
	}
	participants := m.Controllers()
	for i := range c.Workers {
		participants = append(participants, fmt.Sprintf("w-%d", i))
	}
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
	if l.kills.Add(1) > 1 {
		return nil
	}
	return h.Manager.Kill(id)
}

// Revive starts it again, once everybody who killed it wants that.
func (h *hands) Revive(id string) error {
	l := h.lives[id]
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.kills.Add(-1) > 0 {
		return nil
	}
	err := h.Manager.Revive(id)
	for errors.Is(err, journal.ErrCrashed) { // it came upon a site when it opened its log
		time.Sleep(restart)
		err = h.Manager.Revive(id)
	}
	return err
}

// restart is the pause after which a controller that chaos crashed is started again.
const restart = time.Second

// gone reports whether the machine of a worker has ended.
func (h *hands) gone(worker string) bool {
	if l := h.lives[worker]; l != nil {
		return l.kills.Load() > 0
	}
	for _, group := range h.groups {
		for _, slice := range h.Cloud(group).Live() {
			for _, m := range slice.Status().VMs {
				if m.WorkerID == worker {
					return m.State.Terminal()
				}
			}
		}
	}
	return true
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

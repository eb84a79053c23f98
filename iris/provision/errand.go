package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"iris/iris/vm"
)

// errand is what is ordered of one slice. Its goroutine carries out one order after the other, and hands over the news of
// one before it begins the next, so that they arrive in order. The group's mu guards it.
type errand struct {
	creation    *creation // not answered yet
	termination *Order    // not answered yet
}

// creation is one order to create a slice.
type creation struct {
	order Order
	ctx   context.Context // ends when its termination is ordered, or the provisioner closed
	cut   context.CancelCauseFunc
	turn  turn // nil: it has not queued yet
}

var errTerminating = errors.New("its termination was ordered")

func (g *group) orderCreation(o Order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, first := g.errand(o.ID)
	if e == nil || e.creation != nil {
		return
	}
	c := &creation{order: o}
	c.ctx, c.cut = context.WithCancelCause(g.owner.ctx)
	if first { // else it might hold its place for as long as the order before it takes
		c.turn = g.creations.queue()
	}
	e.creation = c
}

func (g *group) orderTermination(o Order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, _ := g.errand(o.ID)
	if e == nil || e.termination != nil {
		return
	}
	e.termination = &o
	if e.creation != nil {
		e.creation.cut(errTerminating)
	}
}

// errand is the errand of a slice, and says whether it has only just begun. It is nil after Close. The caller holds mu.
func (g *group) errand(id string) (e *errand, first bool) {
	if g.over {
		return nil, false
	}
	if e := g.errands[id]; e != nil {
		return e, false
	}
	e = &errand{}
	g.errands[id] = e
	g.running.Go(func() { g.attend(id, e) })
	return e, true
}

// attend carries out the orders of one slice until there are none.
func (g *group) attend(id string, e *errand) {
	for {
		g.mu.Lock()
		c, end := e.creation, e.termination
		if c == nil && end == nil || g.owner.ctx.Err() != nil {
			delete(g.errands, id)
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		if c != nil && (end == nil || c.ctx.Err() != nil) { // one that is not cut was ordered after the termination
			g.create(e, c)
		} else {
			g.terminate(e, *end)
		}
	}
}

// create has a slice created and reports how it went.
func (g *group) create(e *errand, c *creation) {
	defer c.cut(nil)
	slice, news := g.request(c)
	g.mu.Lock()
	e.creation = nil // from here on, a repeated order is a new one
	if slice != nil {
		g.known[c.order.ID] = &known{slice, absence{after: g.begun}}
	}
	g.mu.Unlock()
	g.tell(news)
}

// request asks the platform for a slice, when it is this one's turn. The slice is nil unless it was Created.
func (g *group) request(c *creation) (vm.Slice, News) {
	if c.turn == nil {
		c.turn = g.creations.queue()
	}
	if err := g.creations.pass(c.ctx, c.turn); err != nil {
		return nil, Refused{c.order, Unknown, fmt.Sprintf("not asked for: %v", context.Cause(c.ctx))}
	}
	defer g.creations.leave()
	config := g.owner.config
	limit := cmp.Or(config.RequestTimeouts[g.name], defaultRequestTimeout)
	ctx, cancel := context.WithTimeoutCause(c.ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	labels := map[string]string{ClusterLabel: config.Cluster, GroupLabel: g.name}
	slice, err := Create(ctx, g.manager, g.on, vm.Request{ID: c.order.ID, Zone: c.order.Zone, Labels: labels})
	if err != nil {
		why, cause := refusal(ctx, err), err.Error()
		if why == Unknown && ctx.Err() != nil {
			cause = fmt.Sprintf("%v: %v", context.Cause(ctx), err)
		}
		return nil, Refused{c.order, why, cause}
	}
	return slice, Created{c.order, sight(slice)}
}

// terminate tries until the slice is gone, and reports it.
func (g *group) terminate(e *errand, o Order) {
	ctx, log := g.owner.ctx, g.owner.config.Log.With("slice", o.ID, "group", g.name)
	slice, err := g.find(ctx, o.ID, 2)
	if err != nil {
		return // closed
	}
	pause := &backoff.ExponentialBackOff{
		InitialInterval: time.Second, Multiplier: 2, MaxInterval: time.Minute, RandomizationFactor: 0.1,
	}
	for tries := 1; slice != nil; tries++ {
		err := g.try(slice)
		if ctx.Err() != nil {
			return // closed; whoever decides next orders it again
		}
		if err == nil {
			if tries > 1 {
				log.Info("slice terminated after all", "tries", tries)
			}
			break
		}
		if tries == 1 {
			log.Warn("slice could not be terminated; it is tried again until it works", "error", err)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return
		}
		slice = g.newest(o.ID, slice)
	}
	g.mu.Lock()
	e.termination = nil // from here on, a repeated order is a new one
	delete(g.known, o.ID)
	g.mu.Unlock()
	g.tell(Terminated{o})
}

// try is one try to terminate a slice, when there is a turn for it.
func (g *group) try(s vm.Slice) error {
	if err := g.terminations.pass(g.owner.ctx, g.terminations.queue()); err != nil {
		return err
	}
	defer g.terminations.leave()
	ctx, cancel := context.WithTimeout(g.owner.ctx, g.owner.config.TerminateTimeout)
	defer cancel()
	return Terminate(ctx, s, g.on)
}

// newest is the handle that a list has shown since, else the one there was: a slice that is no longer listed is gone only
// when its platform says so.
func (g *group) newest(id string, slice vm.Slice) vm.Slice {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.known[id]; k != nil {
		return k.slice
	}
	return slice
}

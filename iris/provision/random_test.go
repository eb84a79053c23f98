package provision_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
	"iris/iris/provision"
	"iris/iris/vm"
)

// cloud is a platform that is slow, fails at random, and makes slices whose creation was cut short all the same, late.
type cloud struct {
	mu         sync.Mutex
	random     *rand.Rand
	live       map[string]bool
	used       map[string]bool
	late       int
	busy, most [2]int // creations and terminations that are under way, now and at the most
}

const (
	creating = iota
	terminating
)

// call takes a while, and says whether it failed. ended, if it is not nil, is called when ctx ends before that.
func (c *cloud) call(ctx context.Context, what int, slowest time.Duration, ended func()) error {
	c.mu.Lock()
	c.busy[what]++
	c.most[what] = max(c.most[what], c.busy[what])
	takes, fails := time.Duration(c.random.Int64N(int64(slowest))), c.random.IntN(4) == 0
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy[what]--
	}()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		if ended != nil {
			ended()
		}
		return ctx.Err()
	}
	if fails {
		return errors.New("the cloud is busy")
	}
	return nil
}

func (c *cloud) make(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.used[id] {
		c.live[id], c.used[id] = true, true
	}
}

func (c *cloud) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	err := c.call(ctx, creating, 200*time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.late++
		time.AfterFunc(time.Duration(c.random.Int64N(int64(time.Minute))), func() { c.make(r.ID) })
	})
	if err != nil {
		return nil, err
	}
	c.make(r.ID)
	return c.slice(r.ID), nil
}

func (c *cloud) ListSlices(context.Context) ([]vm.Slice, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []vm.Slice
	for id := range c.live {
		all = append(all, c.slice(id))
	}
	return all, nil
}

func (c *cloud) slice(id string) vm.Slice {
	return &slice{id: id, end: func(ctx context.Context) error {
		if err := c.call(ctx, terminating, 80*time.Second, nil); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.live, id)
		return nil
	}}
}

// ledger orders slices and counts the answers, as a controller would: what is listed though it was terminated is
// terminated again.
type ledger struct {
	mu                sync.Mutex
	created, refused  map[string]int
	ends, ended       map[string]int // terminations that were ordered and answered
	ownerOf           *desk
	unexpected, again int
}

func (l *ledger) hear(_ context.Context, n provision.News) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := n.(type) {
	case provision.Created:
		l.created[n.Order.ID]++
		if l.ended[n.Order.ID] > 0 {
			l.unexpected++
		}
	case provision.Refused:
		l.refused[n.Order.ID]++
		if l.ended[n.Order.ID] > 0 {
			l.unexpected++
		}
	case provision.Terminated:
		l.ended[n.Order.ID]++
	case provision.Listed:
		for _, s := range n.Slices {
			if l.ended[s.ID] > 0 && l.ended[s.ID] == l.ends[s.ID] {
				l.again++
				l.terminate(s.ID)
			}
		}
	}
}

// terminate orders a termination. The caller holds mu.
func (l *ledger) terminate(id string) {
	l.ends[id]++
	l.ownerOf.Terminate(order(id))
}

// Whatever fails, every order has one answer, in order, and in the end nothing is left anywhere.
func TestRandomHistoriesEndWithNothingLeft(t *testing.T) {
	const number = 300
	for seed := range uint64(5) {
		c := &cloud{random: rand.New(rand.NewPCG(seed, 0)), live: map[string]bool{}, used: map[string]bool{}}
		inBubble(t, on(c), func(d *desk) {
			l := &ledger{ownerOf: d, created: map[string]int{}, refused: map[string]int{}, ends: map[string]int{}, ended: map[string]int{}}
			d.before(l.hear)
			d.scope.Seed(seed)
			for _, site := range []string{"vm.create", "vm.list", "vm.terminate"} {
				if _, err := d.scope.Enable(site, chaos.FailureRate(0.3)); err != nil {
					d.Fatal(err)
				}
			}
			var all sync.WaitGroup
			random := rand.New(rand.NewPCG(seed, 1))
			for i := range number {
				id := fmt.Sprintf("a-%d", i)
				start := time.Duration(random.Int64N(int64(time.Minute)))
				life := time.Duration(random.Int64N(int64(10 * time.Minute)))
				if i%2 == 0 {
					life = 15*time.Minute - start // all of these at once
				}
				all.Go(func() {
					time.Sleep(start)
					d.Create(order(id))
					time.Sleep(life)
					l.mu.Lock()
					defer l.mu.Unlock()
					l.terminate(id)
				})
			}
			all.Wait()
			time.Sleep(2 * time.Hour)
			synctest.Wait()

			l.mu.Lock()
			defer l.mu.Unlock()
			for i := range number {
				id := fmt.Sprintf("a-%d", i)
				if l.created[id]+l.refused[id] != 1 || l.ends[id] == 0 || l.ended[id] != l.ends[id] {
					d.Errorf("seed %d: %s was created %d times and refused %d times; %d of %d terminations are answered",
						seed, id, l.created[id], l.refused[id], l.ended[id], l.ends[id])
				}
			}
			if l.unexpected > 0 {
				d.Errorf("seed %d: %d creations are answered after their termination", seed, l.unexpected)
			}
			if len(c.live) != 0 || c.most != [2]int{32, 32} {
				d.Errorf("seed %d: %d slices are left; at the most %v calls were under way, want 32 and 32", seed, len(c.live), c.most)
			}
			if len(l.created) == 0 || len(l.refused) == 0 || c.late == 0 {
				d.Errorf("seed %d: %d created, %d refused, %d late: nothing is proven", seed, len(l.created), len(l.refused), c.late)
			}
			d.remembers(0, 0)
		})
	}
}

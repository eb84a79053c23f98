package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"iris/chaos"
	"iris/iris/vm"
)

const (
	atOnce    = 32          // creations of a group that are with its platform, and as many terminations
	pokePause = time.Second // between the end of a list and a poked one; less if ListInterval is less
)

// ErrClosed is the error of what is asked for after Close.
var ErrClosed = errors.New("the provisioner is closed")

// group is what is known and under way of one scale group.
type group struct {
	owner   *Provisioner
	name    string
	manager vm.Manager
	on      chaos.Labels
	poked   chan struct{}
	running sync.WaitGroup

	creations, terminations turnstile

	mu      sync.Mutex
	over    bool
	errands map[string]*errand // by slice id, while there is an order to carry out
	known   map[string]*known  // by slice id
	begun   uint64             // lists that have begun
	last    list               // that worked
	listed  chan struct{}      // closed when last changes
}

// list is one list: how many had begun with it, and when.
type list struct {
	number uint64
	began  time.Time
}

// known is a slice that a creation or a list has shown.
type known struct {
	slice   vm.Slice
	missing absence
}

func newGroup(owner *Provisioner, name string) *group {
	g := &group{
		owner: owner, name: name, manager: owner.config.Managers[name],
		on:    chaos.Labels{"cluster": owner.config.Cluster, "group": name},
		poked: make(chan struct{}, 1), listed: make(chan struct{}),
		errands: map[string]*errand{}, known: map[string]*known{},
		creations: turnstile{free: atOnce}, terminations: turnstile{free: atOnce},
	}
	if g.manager == nil {
		g.manager = noManager(name)
	}
	g.running.Go(g.watch)
	return g
}

// close waits until nothing runs, now that the owner's context has ended.
func (g *group) close() {
	g.mu.Lock()
	g.over = true
	g.mu.Unlock()
	g.running.Wait()
}

// tell hands news over, unless the provisioner is closed. The caller holds no lock.
func (g *group) tell(n News) {
	if g.owner.ctx.Err() == nil {
		g.owner.tell(g.owner.ctx, n)
	}
}

func (g *group) poke() {
	select {
	case g.poked <- struct{}{}:
	default:
	}
}

// watch lists until Close.
func (g *group) watch() {
	ctx, interval := g.owner.ctx, g.owner.config.ListInterval
	pause := min(pokePause, interval)
	failing := false
	for ctx.Err() == nil {
		failing = g.list(failing)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(interval - pause):
		case <-g.poked:
		case <-ctx.Done():
		}
	}
}

// list asks the platform for its slices, remembers them and reports them. It says whether the list failed; failing is what
// the one before did.
func (g *group) list(failing bool) bool {
	g.mu.Lock()
	g.begun++
	this := list{g.begun, time.Now()}
	g.mu.Unlock()

	ctx, cancel := context.WithTimeout(g.owner.ctx, g.owner.config.ListTimeout)
	defer cancel()
	all, err := List(ctx, g.manager, g.on)
	log := g.owner.config.Log
	switch {
	case g.owner.ctx.Err() != nil:
		return failing
	case err != nil && !failing:
		log.Warn("slices of a group cannot be listed; nothing is known of them until they can be", "group", g.name, "error", err)
		return true
	case err != nil:
		return true
	case failing:
		log.Info("slices of a group can be listed again", "group", g.name)
	}

	news, shown := Listed{Group: g.name, Began: this.began}, map[string]vm.Slice{}
	for _, s := range all {
		seen := sight(s)
		news.Slices, shown[seen.ID] = append(news.Slices, seen), s
	}
	news.Slices = append(news.Slices, g.take(this, shown)...)
	g.tell(news)
	return false
}

// take remembers what a list shows, forgets what is gone, and wakes who waits for lists. It returns what has ended by itself
// among what the list does not show any more, by id: a platform lists only what lives, and its handles say what became of
// the rest.
func (g *group) take(this list, shown map[string]vm.Slice) (ended []Sight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(g.known)) {
		k := g.known[id]
		if shown[id] != nil {
			continue
		}
		if k.slice.Status().Terminal() {
			ended = append(ended, sight(k.slice))
		}
		if k.missing.add(this, max(vm.ListLag, g.owner.config.ListInterval)) == 2 {
			delete(g.known, id)
		}
	}
	for id, s := range shown {
		g.known[id] = &known{s, absence{after: this.number}}
	}
	g.last = this
	close(g.listed)
	g.listed = make(chan struct{})
	return ended
}

// find is the handle of a slice. Without one it waits until it is there, or until so many lists (1 or 2), that all began
// after the call and ListInterval apart, do not show it: nil. The error is ctx's.
func (g *group) find(ctx context.Context, id string, lists int) (vm.Slice, error) {
	g.mu.Lock()
	missing := absence{after: g.begun}
	for {
		k, last, changed := g.known[id], g.last, g.listed
		g.mu.Unlock()
		switch {
		case k != nil:
			return k.slice, nil
		case missing.add(last, g.owner.config.ListInterval) >= lists:
			return nil, nil
		case missing.lists == 0:
			g.poke()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		g.mu.Lock()
	}
}

// absence counts the lists that do not show a slice, up to two. One is not enough for a slice to count as gone: what a
// platform lists may be out of date.
type absence struct {
	after uint64 // lists up to this one began too early to tell
	since time.Time
	lists int
}

// add counts a list that does not show the slice, and returns how many there are that began at least so far apart.
func (a *absence) add(l list, apart time.Duration) int {
	switch {
	case l.number <= a.after:
	case a.lists == 0:
		a.lists, a.since = 1, l.began
	case l.began.Sub(a.since) >= apart:
		a.lists = 2
	}
	return a.lists
}

// logs is Logs. The caller waits for it, and so does Close.
func (g *group) logs(ctx context.Context, o Order, vmID string, n int) ([]string, error) {
	g.mu.Lock()
	if g.over {
		g.mu.Unlock()
		return nil, ErrClosed
	}
	g.running.Add(1)
	g.mu.Unlock()
	defer g.running.Done()

	ctx, cancel := context.WithTimeout(ctx, g.owner.config.ListTimeout)
	defer cancel()
	defer context.AfterFunc(g.owner.ctx, cancel)()
	s, err := g.find(ctx, o.ID, 1)
	switch {
	case err != nil:
		return nil, fmt.Errorf("logs of %s: waiting for a list of the slices of %s: %w", vmID, g.name, err)
	case s == nil:
		return nil, fmt.Errorf("logs of %s: %w: the platform of %s shows no slice %s", vmID, vm.ErrSliceGone, g.name, o.ID)
	}
	return s.Logs(ctx, vmID, n)
}

// noManager stands where the platform of a group should be: it does nothing, and says so.
type noManager string

func (g noManager) CreateSlice(context.Context, vm.Request) (vm.Slice, error) {
	return nil, fmt.Errorf("%w: %w", vm.ErrCreateFailed, g.missing())
}

func (g noManager) ListSlices(context.Context) ([]vm.Slice, error) { return nil, g.missing() }

func (g noManager) missing() error {
	return fmt.Errorf("scale group %s has no platform here; configure it again, or remove its slices by hand", string(g))
}

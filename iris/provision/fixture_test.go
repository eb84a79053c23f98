package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
	"iris/iris/provision"
	"iris/iris/vm"
)

// platform is a vm.Manager that does what the test says. Without words it creates what it is asked for and lists nothing.
type platform struct {
	create func(context.Context, vm.Request) (vm.Slice, error)
	list   func(context.Context) ([]vm.Slice, error)
}

func (p *platform) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	if p.create == nil {
		return &slice{id: r.ID}, nil
	}
	return p.create(ctx, r)
}

func (p *platform) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	if p.list == nil {
		return nil, nil
	}
	return p.list(ctx)
}

// slice is a vm.Slice that does what the test says. Without words it terminates at once.
type slice struct {
	id   string
	end  func(context.Context) error
	logs func(context.Context) ([]string, error)
}

func (s *slice) ID() string                { return s.id }
func (s *slice) Group() string             { return "a" }
func (s *slice) Zone() string              { return "z" }
func (s *slice) Labels() map[string]string { return nil }
func (s *slice) CreatedAt() time.Time      { return time.Time{} }
func (s *slice) Status() vm.SliceStatus    { return vm.SliceStatus{} }

func (s *slice) Terminate(ctx context.Context) error {
	if s.end == nil {
		return nil
	}
	return s.end(ctx)
}

func (s *slice) Logs(ctx context.Context, vmID string, n int) ([]string, error) {
	if s.logs == nil {
		return []string{fmt.Sprintf("%d of %s", n, vmID)}, nil
	}
	return s.logs(ctx)
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func hangCreating(ctx context.Context, _ vm.Request) (vm.Slice, error) { return nil, hang(ctx) }

func hangListing(ctx context.Context) ([]vm.Slice, error) { return nil, hang(ctx) }

// showing is a list that shows slices.
func showing(all ...vm.Slice) func(context.Context) ([]vm.Slice, error) {
	return func(context.Context) ([]vm.Slice, error) { return all, nil }
}

// during is a list that shows a slice at the given seconds after the first list alone.
func during(s vm.Slice, seconds ...int) func(context.Context) ([]vm.Slice, error) {
	var began time.Time
	return func(context.Context) ([]vm.Slice, error) {
		if began.IsZero() {
			began = time.Now()
		}
		if slices.Contains(seconds, int(time.Since(began)/time.Second)) {
			return []vm.Slice{s}, nil
		}
		return nil, nil
	}
}

// desk is a provisioner in a bubble, and what it tells.
type desk struct {
	*testing.T
	*provision.Provisioner
	scope chaos.Scope
	began time.Time
	log   *bytes.Buffer

	mu      sync.Mutex
	heard   []string // news but for lists, as in "2s created a-0"
	refused []provision.Refused
	lists   []provision.Listed
	hook    func(context.Context, provision.News) // called first, without mu
}

func (d *desk) tell(ctx context.Context, n provision.News) {
	d.mu.Lock()
	hook := d.hook
	d.mu.Unlock()
	if hook != nil {
		hook(ctx, n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	text := ""
	switch n := n.(type) {
	case provision.Created:
		text = "created " + n.Order.ID
	case provision.Refused:
		text = fmt.Sprintf("refused %s %v", n.Order.ID, n.Why)
		d.refused = append(d.refused, n)
	case provision.Terminated:
		text = "terminated " + n.Order.ID
	case provision.Listed:
		d.lists = append(d.lists, n)
		return
	}
	d.heard = append(d.heard, fmt.Sprintf("%v %s", time.Since(d.began), text))
}

// before has f called with each news before it is noted.
func (d *desk) before(f func(context.Context, provision.News)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = f
}

// news is what was told but for lists, once all is at rest; it is forgotten then.
func (d *desk) news() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.heard = nil }()
	return d.heard
}

// hears fails the test unless exactly this was told since.
func (d *desk) hears(want ...string) {
	d.Helper()
	if got := d.news(); !slices.Equal(got, want) {
		d.Errorf("after %v it was told %q, want %q", time.Since(d.began), got, want)
	}
}

// listed is the instants, since the beginning, at which the lists began that were told, once all is at rest.
func (d *desk) listed(group string) []time.Duration {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var at []time.Duration
	for _, l := range d.lists {
		if l.Group == group {
			at = append(at, l.Began.Sub(d.began))
		}
	}
	return at
}

// logged is the messages of the log, each on its own line, once all is at rest.
func (d *desk) logged() string {
	synctest.Wait()
	return d.log.String()
}

// remembers fails the test unless so many slices and orders are remembered of group a.
func (d *desk) remembers(slices, orders int) {
	d.Helper()
	synctest.Wait()
	if s, o := d.Remembered("a"); s != slices || o != orders {
		d.Errorf("after %v it remembers %d slices and %d orders, want %d and %d", time.Since(d.began), s, o, slices, orders)
	}
}

func order(id string) provision.Order { return provision.Order{ID: id, Group: "a"} }

// inBubble runs a test with platforms by group. At its end nothing may run, and nothing is told after Close.
func inBubble(t *testing.T, managers map[string]vm.Manager, test func(*desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, scope: chaos.In(t.Name()), began: time.Now(), log: &bytes.Buffer{}}
		defer d.scope.Reset()
		d.Provisioner = provision.New(provision.Config{
			Cluster: t.Name(), Managers: managers,
			Log: slog.New(slog.NewTextHandler(&locked{d: d}, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
		}, d.tell)
		synctest.Wait()
		test(d)
		d.Close()
		d.mu.Lock()
		told := len(d.heard) + len(d.lists)
		d.mu.Unlock()
		d.Create(order("late"))
		d.Terminate(order("later"))
		d.Poke("a")
		time.Sleep(time.Hour)
		if n := len(d.heard) + len(d.lists); n != told {
			t.Errorf("%d news after Close", n-told)
		}
		if err := d.scope.Verify(); err != nil {
			t.Error(err)
		}
	})
}

// locked writes to the log of a desk.
type locked struct{ d *desk }

func (l *locked) Write(p []byte) (int, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.log.Write(p)
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// count is how often a text is in the log.
func (d *desk) count(text string) int { return strings.Count(d.logged(), text) }

// on is the one group a with its platform.
func on(m vm.Manager) map[string]vm.Manager { return map[string]vm.Manager{"a": m} }

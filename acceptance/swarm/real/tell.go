package real

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/acceptance/tap"
	"iris/acceptance/timeline"
	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
)

// teller tells one story.
type teller struct {
	story.Story
	options  Options
	name     string // of the cluster
	dir      string // of all that it has on disk
	chaos    chaos.Scope
	network  *network.Memory
	payloads *payloads
	cluster  *hands
	clients  []*client.Client
	epoch    time.Time
	stirred  chan struct{}  // a fault has begun or ended: the state is to be checked
	launches sync.WaitGroup // that are to come, or under way

	tap *tap.Tap // nil: nobody wants a timeline

	mu       sync.Mutex
	out      Outcome
	suffered []timeline.Ordered // for the timeline
}

// names tells clusters of one process apart: none sees the chaos rules of another.
var names atomic.Int64

const (
	people     = 2                // clients
	bootWithin = 10 * time.Minute // without any fault
	checkEvery = 20 * time.Second
	// electionTimeout of the log is longer than the default: voters speak ten times in that time, and that is most of what a
	// story with several controllers costs.
	electionTimeout = 4 * time.Second
	// snapshotEntries are so few that controllers come back to snapshots, and get them from each other.
	snapshotEntries = 40
	// answerWithin is how long a healthy cluster may take to answer whatever it is asked, calls tried again included.
	answerWithin = 2 * time.Minute
)

// newTeller is one whose cluster, of a name of its own, has not been started.
func newTeller(s story.Story, o Options) *teller {
	t := &teller{
		Story: s, options: o, name: fmt.Sprintf("story-%d", names.Add(1)), network: &network.Memory{},
		stirred: make(chan struct{}, 1), epoch: time.Now(), payloads: &payloads{},
		out: Outcome{Struck: map[fault.Kind]int{}, Fired: map[string]int{}, Ended: map[string]int{}},
	}
	if o.Facts != nil {
		t.tap = tap.New()
	}
	t.chaos = chaos.In(t.name)
	t.network.Faults().Seed(s.Seed)
	t.chaos.Seed(s.Seed)
	return t
}

// tell tells a story, in a bubble.
func tell(s story.Story, o Options) Outcome {
	t := newTeller(s, o)
	defer t.chaos.Reset()
	if err := t.boot(); err != nil {
		t.wrong(ByBoot, "%v", err)
		return t.out
	}
	t.play()
	t.facts()
	if err := t.stop(); err != nil {
		t.wrong(ByStop, "%v", err)
	}
	return t.out
}

// disk is where clusters have their directories: in memory where that can be, since a real disk's syncs take real time.
func disk() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return os.TempDir()
}

// boot starts the cluster and connects its clients.
func (t *teller) boot() (err error) {
	if t.dir, err = os.MkdirTemp(disk(), fmt.Sprintf("iris-%d-%s-", os.Getpid(), t.name)); err != nil {
		return err
	}
	err = errors.Join(os.Mkdir(t.workspace(), 0o700), os.WriteFile(filepath.Join(t.workspace(), "file"), []byte("text"), 0o600))
	if err != nil {
		return errors.Join(err, os.RemoveAll(t.dir))
	}
	options := cluster.Options{
		Network: t.network, Functions: t.payloads.functions(), Dir: t.dir, Durable: durable(t.Story),
		Controllers: t.Cluster.Controllers, Restart: restart, Log: t.options.Log,
		ElectionTimeout: electionTimeout, SnapshotEntries: snapshotEntries,
	}
	if t.tap != nil {
		options.ServerOptions, options.DialOptions = t.tap.ServerOptions, t.tap.DialOptions
	}
	m, err := cluster.Start(shape(t.name, t.Cluster), options)
	if err != nil {
		return errors.Join(err, os.RemoveAll(t.dir))
	}
	t.cluster = newHands(m, t.network, t.chaos, t.Cluster)
	t.payloads.gone = t.cluster.gone // nothing runs yet
	for range people {
		c, clientErr := m.Connect()
		err = errors.Join(err, clientErr)
		t.clients = append(t.clients, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootWithin)
	defer cancel()
	if err = errors.Join(err, m.Ready(ctx)); err != nil {
		return errors.Join(err, t.stop())
	}
	return nil
}

// workspace is the directory of jobs that have one.
func (t *teller) workspace() string { return filepath.Join(t.dir, "workspace") }

// stop ends everything.
func (t *teller) stop() error {
	var errs []error
	for _, c := range t.clients {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	errs = append(errs, t.cluster.Stop())
	t.network.Settle()
	return errors.Join(append(errs, os.RemoveAll(t.dir))...)
}

// play is the story itself, and what is demanded after it.
func (t *teller) play() {
	t.epoch = time.Now()
	background, over := context.WithCancel(context.Background())
	var checking, users, faults sync.WaitGroup
	checking.Go(func() { t.check(background) })
	jobs := make([]*user, len(t.Jobs))
	for i, j := range t.Jobs {
		jobs[i] = &user{teller: t, number: i, client: t.clients[i%people]}
		t.launches.Add(1)
		if j.Twice {
			t.launches.Add(1)
		}
	}
	users.Go(func() { // each comes in its time: timers of hundreds that wait from the start cost a tenth of all
		inTime := slices.SortedStableFunc(slices.Values(jobs), func(a, b *user) int { return cmp.Compare(a.at(), b.at()) })
		for _, u := range inTime {
			if !u.comes(background, u.at()) {
				return
			}
			users.Go(func() { u.act(background) })
		}
	})
	for _, f := range t.Faults {
		faults.Go(func() { t.suffer(f) })
	}
	t.until(time.Duration(t.Length))
	faults.Wait()
	for _, r := range t.chaos.Rules() {
		t.out.Fired[r.Site().Name()] += r.Counts().Fired
		if r.Armed() {
			t.wrong(ByFault, "the rule %v is left", r)
		}
	}
	t.launches.Wait() // a call that was held up may have come to nothing so far
	t.heal()
	t.out.Told = time.Since(t.epoch)
	over()
	users.Wait()
	checking.Wait()
	t.judge(jobs)
	if len(t.out.Violations) == 0 {
		t.probe() // last: what it runs makes a cluster forget
	}
}

// suffer does a fault to the cluster, and notes whether that had an effect.
func (t *teller) suffer(f fault.Fault) {
	t.until(time.Duration(f.Begins))
	ongoing, err := f.Begin(t.cluster)
	if err != nil {
		t.wrong(ByFault, "%v: %v", f, err)
		return
	}
	t.stir()
	ends, over := f.Ends()
	if !over {
		ends = time.Duration(t.Length)
	}
	t.until(ends)
	if err := ongoing.End(); err != nil {
		t.wrong(ByFault, "%v", err)
	}
	t.stir()
	t.mu.Lock()
	defer t.mu.Unlock()
	if ongoing.Struck() {
		t.out.Struck[f.Kind]++
	}
	t.suffered = append(t.suffered, timeline.Injected(f, ongoing.Began, ongoing.Ended, ongoing.Struck()))
}

func (t *teller) until(instant time.Duration) { time.Sleep(time.Until(t.epoch.Add(instant))) }

func (t *teller) stir() {
	select {
	case t.stirred <- struct{}{}:
	default: // a check is to come anyway
	}
}

// check checks the invariants of the state again and again, whenever somebody leads.
func (t *teller) check(ctx context.Context) {
	every := time.NewTicker(checkEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.stirred:
		case <-every.C:
		}
		t.checkNow(ctx)
	}
}

func (t *teller) checkNow(ctx context.Context) {
	c := t.cluster.Controller()
	if c == nil || !c.Leads() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.Check(ctx); err != nil && !unanswered(err) {
		text, _ := c.Describe(ctx, t.epoch) // that it cannot be had is no news
		t.wrong(ByCheck, "%v\n%s", err, text)
	}
}

// unanswered tells that a controller does not lead any more from what is wrong with its state.
func unanswered(err error) bool {
	_, isStatus := status.FromError(err)
	return isStatus
}

// wrong notes a violation.
func (t *teller) wrong(by, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := Violation{by, fmt.Sprintf("at %v: ", time.Since(t.epoch)) + fmt.Sprintf(format, args...)}
	if n := len(t.out.Violations); n < mostViolations && !slices.Contains(t.out.Violations, v) {
		t.out.Violations = append(t.out.Violations, v)
	}
}

// mostViolations are noted. What was wrong once is mostly wrong for ever.
const mostViolations = 20

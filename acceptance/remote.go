package acceptance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/grpc"

	"iris/acceptance/daemon"
	"iris/chaos"
	"iris/iris/faults"
	"iris/iris/network"
)

// remoteFaults are the rules of a cluster of daemons. A rule is armed in each daemon that its site is in, and counts
// there; what is asked of it here is the sum. A daemon that cannot be asked fails the spec.
type remoteFaults struct {
	scope chaos.Scope
	fleet *daemon.Fleet
	runs  bool // the fleet
	rules []*remoteRule
	early map[*daemon.Daemon][]*remoteRule // armed at the daemon's start, in this order
	conns map[string]*grpc.ClientConn      // by address
}

func newRemoteFaults(p plan, fleet *daemon.Fleet) *remoteFaults {
	scope := chaos.In(p.Name)
	scope.Seed(p.seed)
	return &remoteFaults{
		scope: scope, fleet: fleet, early: map[*daemon.Daemon][]*remoteRule{}, conns: map[string]*grpc.ClientConn{},
	}
}

// begin starts the fleet. The rules that are there already go with it.
func (f *remoteFaults) begin(start func() error) error {
	for d, rules := range f.early {
		var texts []string
		for _, r := range rules {
			texts = append(texts, r.text)
		}
		d.Setenv(faults.Variable, strings.Join(texts, "\n"))
	}
	f.runs = true
	return start()
}

// end gives up what it takes to ask daemons.
func (f *remoteFaults) end() error {
	f.runs = false
	f.scope.Reset() // it has a seed
	var errs []error
	for _, conn := range f.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// Enable arms a rule in all workers, or in all controllers.
func (f *remoteFaults) Enable(key string, options ...chaos.Option) (Rule, error) {
	text, err := f.scope.Text(key, options...)
	if err != nil {
		return nil, err
	}
	r := &remoteRule{faults: f, text: text, in: f.fleet.Controllers, ids: map[*daemon.Daemon]string{}}
	if strings.HasPrefix(key, "worker.") {
		r.in = f.fleet.Workers
	}
	for _, d := range r.in {
		if !f.runs {
			f.early[d] = append(f.early[d], r)
			continue
		}
		r.ids[d] = chaos.NewID()
		if _, err := f.try(d, func(ctx context.Context, c *faults.Client) ([]faults.Report, error) {
			return c.EnableAs(ctx, r.ids[d], text, faults.Self)
		}); err != nil {
			return nil, err
		}
	}
	f.rules = append(f.rules, r)
	return r, nil
}

// Rules are those armed since the last Reset.
func (f *remoteFaults) Rules() []Rule {
	var rules []Rule
	for _, r := range f.rules {
		rules = append(rules, r)
	}
	return rules
}

// Firings are those of all daemons, by their clock, which is one.
func (f *remoteFaults) Firings() []chaos.Firing {
	ginkgo.GinkgoHelper()
	var all []chaos.Firing
	for _, d := range f.armed() {
		fired := 0
		for _, r := range f.ask(d, listRules).Rules {
			fired += r.Fired
		}
		firings, err := f.watch(d, fired)
		gomega.Expect(err).NotTo(gomega.HaveOccurred(), "the firings of %s", d.Name)
		all = append(all, firings...)
	}
	slices.SortStableFunc(all, func(a, b chaos.Firing) int { return a.At.Compare(b.At) })
	return all
}

// watch reads the log of a daemon, which has so many firings at least.
func (f *remoteFaults) watch(d *daemon.Daemon, firings int) ([]chaos.Firing, error) {
	if firings == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	c, err := f.client(ctx, d)
	if err != nil {
		return nil, err
	}
	stream, err := c.WatchAll(ctx, faults.Self)
	if err != nil {
		return nil, err
	}
	var all []chaos.Firing
	for seen := 0; seen < firings; {
		news, err := stream.Next()
		if err = errors.Join(err, news.Lost); err != nil {
			return nil, err
		}
		if n := news.Fired; n != nil {
			seen += 1 + n.Missed
			all = append(all, chaos.Firing{
				At: n.At, Site: n.Site, Target: n.Target, Nth: n.Nth, Labels: n.Labels, Action: n.Action, Rule: n.Rule,
			})
		}
	}
	return all, nil
}

// Verify judges all rules.
func (f *remoteFaults) Verify() error {
	ginkgo.GinkgoHelper()
	var errs []error
	for _, r := range f.rules {
		errs = append(errs, r.verify())
	}
	return errors.Join(errs...)
}

// Reset ends the rules in all daemons.
func (f *remoteFaults) Reset() {
	ginkgo.GinkgoHelper()
	if f.runs {
		for _, d := range f.armed() {
			f.ask(d, func(ctx context.Context, c *faults.Client) ([]faults.Report, error) { return c.Reset(ctx, faults.Self) })
		}
	}
	f.rules, f.early = nil, map[*daemon.Daemon][]*remoteRule{}
}

// armed are the daemons that have rules.
func (f *remoteFaults) armed() []*daemon.Daemon {
	return slices.DeleteFunc(f.fleet.All(), func(d *daemon.Daemon) bool {
		return !slices.ContainsFunc(f.rules, func(r *remoteRule) bool { return slices.Contains(r.in, d) })
	})
}

// askPatience bounds what is asked of a daemon. A worker answers when a controller has taken it.
const askPatience = 30 * time.Second

func listRules(ctx context.Context, c *faults.Client) ([]faults.Report, error) {
	return c.Rules(ctx, faults.Self)
}

// ask has a daemon do something, which must succeed.
func (f *remoteFaults) ask(d *daemon.Daemon, call func(context.Context, *faults.Client) ([]faults.Report, error)) faults.Report {
	ginkgo.GinkgoHelper()
	report, err := f.try(d, call)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "chaos in %s", d.Name)
	return report
}

func (f *remoteFaults) try(d *daemon.Daemon, call func(context.Context, *faults.Client) ([]faults.Report, error)) (faults.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	c, err := f.client(ctx, d)
	if err != nil {
		return faults.Report{}, err
	}
	reports, err := call(ctx, c)
	if err != nil {
		return faults.Report{}, err
	}
	return reports[0], reports[0].Err // it was asked about itself alone
}

// client speaks to a daemon, once it serves.
func (f *remoteFaults) client(ctx context.Context, d *daemon.Daemon) (*faults.Client, error) {
	if err := d.Ready(ctx); err != nil {
		return nil, err
	}
	conn := f.conns[d.Address()]
	if conn == nil {
		var err error
		if conn, err = network.Client(network.TCP{}, d.Address()); err != nil {
			return nil, err
		}
		f.conns[d.Address()] = conn
	}
	return faults.Connect(conn), nil
}

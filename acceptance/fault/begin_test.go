package fault_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iris/acceptance/fault"
	"iris/chaos"
	"iris/fakevm"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/vm"
)

// lab is a cluster in memory: a controller with its log on disk, the workers w-0 and w-1, and the scale groups "full", which
// has a slice, and "empty", which has none.
type lab struct {
	*testing.T
	*cluster.Manager
	client *client.Client
	net    *network.Memory
}

func (l *lab) Faults() network.Faults { return l.net.Faults() }

func (l *lab) Arm(text string) (fault.Rule, error) {
	r, err := chaos.In(l.Manager.Name).EnableText(text)
	return rule{r}, err
}

type rule struct{ *chaos.Rule }

func (r rule) Fired() int { return r.Counts().Fired }

var _ fault.Cluster = (*lab)(nil)

// inALab runs a test in a bubble, in which no goroutine may be left at the end.
func inALab(t *testing.T, test func(*lab)) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		group := func(name string, least int, platform config.Platform) config.Group {
			return config.Group{Name: name, Platform: platform, CPU: 2, Memory: 4 << 30, MinSlices: least, MaxSlices: 2, Zones: []string{"z"}}
		}
		functions := runtime.NewFunc()
		functions.Register("nothing", func(context.Context, runtime.FuncTask) error { return nil })
		l := &lab{T: t, net: &network.Memory{}}
		var err error
		l.Manager, err = cluster.Start(cluster.MakeLocalConfig(config.Cluster{
			Name: "lab", Groups: []config.Group{group("fixed", 2, ""), group("full", 1, config.Local), group("empty", 0, config.Local)},
		}), cluster.Options{
			Network: l.net, Functions: functions, Durable: true, Restart: time.Second, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		l.client, err = l.Connect()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second) // the slice comes up
		test(l)
		chaos.In(l.Manager.Name).Reset()
		l.net.Faults().Heal()
		for what, end := range map[string]func() error{"client": l.client.Close, "cluster": l.Stop} {
			if err := end(); err != nil {
				t.Error(what, err)
			}
		}
		l.net.Settle()
	})
}

// works wants every worker to run a job soon: whatever there was is over.
func (l *lab) works() {
	l.Helper()
	for _, id := range []string{"w-0", "w-1"} {
		job, err := l.client.Submit(l.Context(), client.Spec{Name: "after", Entrypoint: client.Function("nothing"), Constraints: []*pb.Constraint{
			{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: id}}})
		if err != nil {
			l.Fatal(err)
		}
		if s, err := job.Wait(l.Context()); err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
			l.Errorf("on %s the job is %v, %v", id, s, err)
		}
	}
}

func (l *lab) worker(id string) *pb.WorkerStatus {
	l.Helper()
	workers, err := l.client.Workers(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	for _, w := range workers {
		if w.WorkerId == id {
			return w
		}
	}
	l.Fatalf("there is no %s", id)
	return nil
}

func (l *lab) begin(f fault.Fault) *fault.Ongoing {
	l.Helper()
	o, err := f.Begin(l)
	if err != nil {
		l.Fatal(err)
	}
	return o
}

// live are the slices of a scale group that there are.
func (l *lab) live(group string) (ids []string) {
	for _, s := range l.Cloud(group).Live() {
		ids = append(ids, s.ID())
	}
	return ids
}

// The faults, and what they do to a lab within 25 s. Nil: it is enough that they say that they have struck.
var faults = []struct {
	fault fault.Fault
	done  func(l *lab, before *pb.WorkerStatus) bool
}{
	{fault.Partition("w-0", "c-0"), nil},
	{fault.Cut("w-0", fault.Anybody), nil},
	{fault.Delay("w-0", "c-0", time.Second, time.Second), nil},
	{fault.Lossy("w-0", "c-0", 0.9), nil},
	{fault.Slow("w-0", "c-0", 1000), nil},
	{fault.Refuse("w-0", "c-0"), nil},
	{fault.Reset("w-0", "c-0"), nil},
	{fault.Repeat("w-0", "c-0", 1), nil},
	{fault.Reorder("w-0", "c-0", 1, time.Second), nil},
	{fault.Freeze("w-0"), nil},
	{fault.Crash("w-0"), func(l *lab, _ *pb.WorkerStatus) bool {
		_, err := l.net.Dial(l.Context(), l.worker("w-0").Address)
		return err != nil
	}},
	{fault.Restart("w-0"), func(l *lab, before *pb.WorkerStatus) bool {
		return l.worker("w-0").Incarnation != before.Incarnation
	}},
	{fault.Skew("w-0", 20*time.Second), nil},
	{fault.Skew(fault.Anybody, 20*time.Second), nil},
	{fault.AtSite("worker.heartbeat", "w-0", 1, 2), nil},
	{fault.AtSite("worker.heartbeat", fault.Anybody, 1, 0), nil},
	{fault.Creation("empty", "stockout"), func(l *lab, _ *pb.WorkerStatus) bool {
		_, err := l.Cloud("empty").CreateSlice(l.Context(), vm.Request{})
		return err != nil
	}},
	{fault.Taken("full", 3), func(l *lab, _ *pb.WorkerStatus) bool { return !slices.Contains(l.live("full"), "full-0") }},
	{fault.Notice("full", 0, 10*time.Second), func(l *lab, _ *pb.WorkerStatus) bool { return !slices.Contains(l.live("full"), "full-0") }},
	{fault.Broken("full", 0), func(l *lab, _ *pb.WorkerStatus) bool {
		s, known := l.Cloud("full").Slice("full-0")
		return !known || s.Status().VMs[0].State != vm.Ready
	}},
	{fault.ListLag("empty", time.Minute), func(l *lab, _ *pb.WorkerStatus) bool {
		if _, err := l.Cloud("empty").CreateSlice(l.Context(), vm.Request{}); err != nil {
			l.Error(err)
		}
		seen, err := l.Cloud("empty").ListSlices(l.Context())
		return err == nil && len(seen) == 0 && len(l.live("empty")) == 1
	}},
}

func TestEveryFaultStrikesARealClusterAndEnds(t *testing.T) {
	tried := map[fault.Kind]bool{}
	for _, f := range faults {
		tried[f.fault.Kind] = true
		t.Run(strings.ReplaceAll(f.fault.String(), " ", "_"), func(t *testing.T) {
			inALab(t, func(l *lab) {
				before := l.worker("w-0")
				o := l.begin(f.fault)
				if f.fault.Kind == fault.KindRefuse {
					l.begin(fault.Reset("w-0", "c-0")) // somebody is to dial
				}
				time.Sleep(25 * time.Second)
				if !o.Struck() || o.Fault != f.fault {
					t.Errorf("%v has done nothing", o.Fault)
				}
				if f.done != nil && !f.done(l, before) {
					t.Errorf("%v has struck, and not done what it is to do", f.fault)
				}
				for range 2 { // what is over stays over
					if err := o.End(); err != nil {
						t.Error(err)
					}
				}
				l.works()
			})
		})
	}
	for _, k := range fault.Kinds {
		if !tried[k] {
			t.Errorf("no %s is tried", k)
		}
	}
}

// A controller crashes at each step of an entry of its log, and is started again.
func TestAJournalSiteIsAControllers(t *testing.T) {
	for _, site := range []string{
		"journal.before_append", "journal.after_append", "journal.after_commit", "journal.before_effect", "journal.before_answer",
	} {
		t.Run(site, func(t *testing.T) {
			inALab(t, func(l *lab) {
				o, before := l.begin(fault.AtSite(site, "c-0", 1, 1)), l.Controller()
				l.works()
				if !o.Struck() || l.Controller() == before {
					t.Error("it did not crash")
				}
				if err := o.End(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAFaultThatMeetsNothingHasNotStruck(t *testing.T) {
	inALab(t, func(l *lab) {
		var idle []*fault.Ongoing
		for _, f := range []fault.Fault{
			fault.Taken("empty", 0), fault.Notice("empty", 0, time.Second), fault.Broken("empty", 1), fault.Reset("w-0", "w-1"),
			fault.Cut("w-0", "w-1"), fault.Repeat("w-0", "w-1", 1), fault.Freeze("nobody"), fault.AtSite("vm.create", "empty", 1, 0),
		} {
			idle = append(idle, l.begin(f))
		}
		time.Sleep(25 * time.Second)
		for _, o := range idle {
			if o.Struck() {
				t.Errorf("%v has struck", o.Fault)
			}
			if err := o.End(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Each mode is one that the platform knows, and ends.
func TestEveryModeOfCreation(t *testing.T) {
	for mode := range fault.Modes {
		t.Run(mode, func(t *testing.T) {
			cloud, err := fakevm.New(fakevm.Config{Group: vm.GroupConfig{Name: "g", AcceleratorVariant: "v4-16", MaxSlices: 2, Zones: []string{"z"}}})
			if err != nil {
				t.Fatal(err)
			}
			good := func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				s, err := cloud.CreateSlice(ctx, vm.Request{})
				cloud.Tick(time.Now())
				return err == nil && s.Status().AllReady()
			}
			o, err := fault.Creation("g", mode).Begin(platform{cloud: cloud})
			if err != nil {
				t.Fatal(err)
			}
			if good() {
				t.Errorf("%v: a slice is ready", o.Fault)
			}
			if err := o.End(); err != nil {
				t.Error(err)
			}
			if !good() {
				t.Errorf("after %v no slice is ready", o.Fault)
			}
		})
	}
}

// platform is a cluster that is nothing but the platform of its machines.
type platform struct {
	fault.Cluster
	cloud *fakevm.Manager
}

func (p platform) Cloud(string) *fakevm.Manager { return p.cloud }

func TestWhatThereIsNotIsRefused(t *testing.T) {
	inALab(t, func(l *lab) {
		for want, f := range map[string]fault.Fault{
			`begin of flood w-0 at 0s: there is no fault "flood"; there are [partition cut `:                                             {Kind: "flood", A: "w-0"},
			`begin of creation full later at 0s: there is no mode "later"; there are [boot-stuck fails `:                                 fault.Creation("full", "later"),
			`begin of site worker.hartbeat w-0 100% at 0s: chaos: column 1: no site "worker.hartbeat"; did you mean "worker.heartbeat"?`: fault.AtSite("worker.hartbeat", "w-0", 1, 0),
			`begin of site worker.heartbeat w-0 200% at 0s: chaos: `:                                                                     fault.AtSite("worker.heartbeat", "w-0", 2, 0),
		} {
			o, err := f.Begin(l)
			if o != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v: %v, want %s", o, err, want)
			}
		}
	})
}

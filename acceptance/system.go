package acceptance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	goruntime "runtime"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"iris/acceptance/tap"
	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
)

// system is the cluster of one spec, however its participants run. Its methods are called in their order here, those
// between Start and Stop in any.
type system interface {
	// Faults are its chaos rules. Those armed before Start are there when it boots.
	Faults() Faults
	Start() error
	Address() string // of the controller
	Connect() (*client.Client, error)
	// Ready waits until every worker has registered.
	Ready(context.Context) error
	// Check verifies the invariants of the controller's state.
	Check(context.Context) error
	// Describe is the controller's whole state as text, times as seconds since the given instant.
	Describe(context.Context, time.Time) (string, error)
	// Alive counts what really runs of a job, or of all jobs for "".
	Alive(job string) int
	// Controllers are the ids of its controllers, Leader that of the one that leads, or empty.
	Controllers() []string
	Leader() string
	// Kill ends a controller or a worker at once. Revive starts it again, on what it left on its disk.
	Kill(id string) error
	Revive(id string) error
	// Stop ends it. Nothing of it runs afterwards.
	Stop() error
}

// plan says what cluster a spec wants.
type plan struct {
	config.Cluster
	log         *slog.Logger
	seed        uint64 // of the chaos decisions
	controllers int
	durable     bool // the log is on disk
	snapshots   int  // after how many entries
	tap         *tap.Tap
}

// Wish changes the cluster that a spec gets. Pass it to Scenario.
type Wish func(*plan)

// Controllers wishes for so many controllers, whose log is on disk. One that fails is started again after a second, as an
// init system would.
func Controllers(n int) Wish { return func(p *plan) { p.controllers, p.durable = n, true } }

var clusters atomic.Int64

// ClusterName is a new name: no two specs see each other's chaos rules.
func ClusterName() string {
	return fmt.Sprintf("spec-%d-%d", ginkgo.GinkgoParallelProcess(), clusters.Add(1))
}

// newPlan is the local cluster of the demo.
func newPlan() plan {
	ginkgo.GinkgoHelper()
	description, err := config.Load(filepath.Join(root(), "examples", "demo.yaml"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	description = cluster.MakeLocalConfig(description)
	description.Name = ClusterName()
	return plan{Cluster: description, log: slog.New(slog.NewTextHandler(ginkgo.GinkgoWriter, nil)), seed: runSeed(),
		tap: tap.New()}
}

// root is the repository's directory.
func root() string {
	_, file, _, _ := goruntime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// SnapshotEvery wishes for a snapshot of the state whenever the log has grown by so many entries.
func SnapshotEvery(entries int) Wish { return func(p *plan) { p.snapshots = entries } }

// inProcess is a cluster whose participants all live in the process of the specs.
type inProcess struct {
	*cluster.Manager
	plan     plan
	options  cluster.Options
	payloads *payloads // in virtual time
}

// newVirtual is a cluster inside a bubble.
func newVirtual(p plan) system {
	payloads := newPayloads()
	n := &network.Memory{}
	n.Faults().Seed(p.seed)
	s := newInProcess(p, cluster.Options{Network: n, Functions: payloads.functions()})
	s.payloads = payloads
	return s
}

// newRealtime is a cluster on the wall clock.
func newRealtime(p plan) system {
	return newInProcess(p, cluster.Options{Network: network.TCP{}})
}

func newInProcess(p plan, options cluster.Options) *inProcess {
	options.SnapshotEntries = p.snapshots
	options.ServerOptions, options.DialOptions = p.tap.ServerOptions, p.tap.DialOptions
	options.Log, options.Controllers, options.Durable, options.Restart = p.log, p.controllers, p.durable, time.Second
	chaos.In(p.Name).Seed(p.seed)
	return &inProcess{plan: p, options: options}
}

func (s *inProcess) Faults() Faults { return scope{chaos.In(s.plan.Name)} }

func (s *inProcess) Start() (err error) {
	s.Manager, err = cluster.Start(s.plan.Cluster, s.options)
	return err
}

// Stop ends the cluster, and what its network has repeated.
func (s *inProcess) Stop() error {
	err := s.Manager.Stop()
	if n, inMemory := s.options.Network.(*network.Memory); inMemory {
		n.Settle()
	}
	return err
}

// errDown is all that can be said of a cluster without a controller.
var errDown = errors.New("no controller runs")

func (s *inProcess) Check(ctx context.Context) error {
	if c := s.Controller(); c != nil {
		return c.Check(ctx)
	}
	return errDown
}

func (s *inProcess) Describe(ctx context.Context, since time.Time) (string, error) {
	if c := s.Controller(); c != nil {
		return c.Describe(ctx, since)
	}
	return "", errDown
}

func (s *inProcess) Alive(job string) int {
	if s.payloads != nil {
		return s.payloads.count(job)
	}
	return tasks(s.Address(), job)
}

// Package cluster boots a whole cluster in one process: a controller and the workers of every group, each of them the
// real thing, over TCP or over the in-memory network.
//
//	m, err := cluster.Start(cluster.MakeLocalConfig(config), cluster.Options{})
//	defer m.Stop()
//	err = m.Ready(ctx)
//	c, err := m.Connect()
//
// Once Stop returns nothing of the cluster is left: no goroutine, no process, no directory.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"iris/iris/auth"
	"iris/iris/client"
	"iris/iris/config"
	"iris/iris/network"
	"iris/iris/runtime"
	"iris/iris/telemetry"
)

// Options are what a description cannot say.
type Options struct {
	// Network connects the participants. Default: TCP. One that has a method As(name) Network gives each its own view: the
	// names are the ids of controllers and workers, and "client" for clients made by Connect.
	Network network.Network
	// Functions are what function entrypoints may name. Nil: workers run commands only.
	Functions *runtime.Func
	// Dir holds bundles, working directories and, if there is one, the log. Empty: a temporary one, removed by Stop.
	Dir string
	// Durable keeps the controllers' log on disk, so that they can be killed and started again. Several always do.
	Durable bool
	// SnapshotEntries is how far a log grows before a snapshot takes the place of all but its last quarter. 0: the journal's
	// defaults.
	SnapshotEntries int
	// ElectionTimeout is that of the log of several: see journal.RaftConfig. 0: the journal's default.
	ElectionTimeout time.Duration
	// Controllers is how many there are. Default 1.
	Controllers int
	// Restart is the pause after which a controller that failed is started again. 0: it stays down.
	Restart time.Duration
	// Traces makes spans of what becomes of jobs whose launch was part of a trace, and of the launches. Nil: there are none.
	Traces trace.TracerProvider
	// ServerOptions and DialOptions are what the server and the connections of a participant have besides, by its id; "client"
	// is clients made by Connect. Nil: nothing.
	ServerOptions func(participant string) []grpc.ServerOption
	DialOptions   func(participant string) []grpc.DialOption
	// Services are registered with the controllers' servers besides their own.
	Services []func(grpc.ServiceRegistrar)
	// Secrets is a directory that auth.Init filled, for the hosts that controllers listen at: everybody then has a
	// certificate, and takes nobody who has none. Empty: everybody may do everything.
	Secrets string
	// Metrics is where measurements are registered, until Stop, each with the id of its participant (c-0, w-1) as a label.
	// Nil: nothing is measured.
	Metrics prometheus.Registerer
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// network is the network as a participant sees it.
func (o Options) network(name string) network.Network {
	if n, names := o.Network.(interface {
		As(name string) network.Network
	}); names {
		return n.As(name)
	}
	return o.Network
}

func (o Options) durable() bool { return o.Durable || o.Controllers > 1 }

// Manager is a running cluster.
type Manager struct {
	Name      string // the cluster's; the label chaos rules tell it by
	options   Options
	dir       string // to remove at the end; empty: not ours
	members   []*member
	machines  []*machine        // that are there from the start
	clouds    map[string]*cloud // of the groups whose machines come and go
	processes *runtime.Process  // all workers' commands
	ctx       context.Context   // ends with the cluster
	end       context.CancelFunc
	watches   sync.WaitGroup
}

// Start boots the controller, then the smallest number of slices of every group. Workers register in the background.
func Start(c config.Cluster, options Options) (*Manager, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if options.Network == nil {
		options.Network = network.TCP{}
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	options.Controllers = max(options.Controllers, 1)
	m := &Manager{Name: c.Name, options: options, processes: runtime.NewProcess(), clouds: map[string]*cloud{}}
	m.ctx, m.end = context.WithCancel(context.Background())
	if err := m.start(c); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster %s: %w", c.Name, err), m.Stop())
	}
	return m, nil
}

func (m *Manager) start(c config.Cluster) error {
	dir := m.options.Dir
	if dir == "" {
		temporary, err := os.MkdirTemp("", "iris-"+c.Name+"-")
		if err != nil {
			return err
		}
		dir, m.dir = temporary, temporary
	}
	if err := m.startClouds(c, dir); err != nil {
		return err
	}
	if err := m.startControllers(c, dir); err != nil {
		return err
	}
	for _, on := range c.FixedMachines() {
		machine, err := m.newMachine(c, on.Worker, on.Group.Capacity(), on.Attributes, dir)
		if err != nil {
			return err
		}
		m.machines = append(m.machines, machine)
		if err := machine.start(); err != nil {
			return err
		}
	}
	for _, cloud := range m.clouds {
		cloud.run()
	}
	return nil
}

// measured are the registerer of a participant and the measurement of its calls; none if nothing is measured.
func (m *Manager) measured(id string) (prometheus.Registerer, *telemetry.Calls, error) {
	if m.options.Metrics == nil {
		return nil, nil, nil
	}
	r := prometheus.WrapRegistererWith(prometheus.Labels{"participant": id}, m.options.Metrics)
	calls, err := telemetry.NewCalls(r)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", id, err)
	}
	return r, calls, nil
}

// Connect is a client of the cluster, an administrator's if it has credentials; the caller closes it.
func (m *Manager) Connect() (*client.Client, error) { return m.connect(m.Address()) }

// ConnectTo is Connect to this controller ("c-0") alone, whoever leads.
func (m *Manager) ConnectTo(controller string) (*client.Client, error) {
	return m.connect(m.participant(controller).(*member).address)
}

func (m *Manager) connect(addresses string) (*client.Client, error) {
	dialling, err := m.options.dialling(auth.Admin, "", auth.Controller)
	if err != nil {
		return nil, err
	}
	return client.Connect(addresses, client.Network(m.options.network("client")),
		client.Dial(slices.Concat(telemetry.TraceDial(m.options.Traces), dialling)...))
}

// Ready waits until every worker that is there from the start has registered.
func (m *Manager) Ready(ctx context.Context) error {
	for _, machine := range m.machines {
		w := machine.current()
		if w == nil {
			continue // it was killed
		}
		select {
		case <-w.Registered():
		case <-ctx.Done():
			return fmt.Errorf("cluster %s: worker %s has not registered: %w", m.Name, machine.config.ID, ctx.Err())
		}
	}
	return nil
}

// Stop ends the workers, killing what they run, then the controllers. It may be called once.
func (m *Manager) Stop() error {
	var errs []error
	m.end()
	for _, w := range m.machines {
		errs = append(errs, w.stop())
		w.calls.Unregister()
	}
	for _, c := range m.clouds {
		errs = append(errs, c.close())
	}
	for _, c := range m.members {
		errs = append(errs, c.stop())
		c.calls.Unregister()
	}
	m.watches.Wait()
	errs = append(errs, m.processes.Close())
	if m.dir != "" {
		errs = append(errs, os.RemoveAll(m.dir))
	}
	return errors.Join(errs...)
}

// participant is a controller or a worker of the cluster.
type participant interface {
	start() error
	stop() error
	drain(ctx context.Context) error
}

// Kill ends a controller or a worker ("c-0", "w-1") as abruptly as the end of its process would; what a worker runs ends
// with it. It stays down until Revive.
func (m *Manager) Kill(id string) error { return m.participant(id).stop() }

// Drain ends a controller or a worker in good order, as SIGTERM does: see [controller.Controller.Drain] and
// [worker.Worker.Drain]. It stays down until Revive.
func (m *Manager) Drain(ctx context.Context, id string) error { return m.participant(id).drain(ctx) }

// Revive starts a participant that is down again, on what it left on its disk: a worker as a new incarnation.
func (m *Manager) Revive(id string) error { return m.participant(id).start() }

func (m *Manager) participant(id string) participant {
	var known []string
	for _, c := range m.members {
		if c.id == id {
			return c
		}
		known = append(known, c.id)
	}
	for _, w := range m.machines {
		if w.config.ID == id {
			return w
		}
		known = append(known, w.config.ID)
	}
	for _, c := range m.clouds {
		if w := c.find(id); w != nil {
			return w
		}
		known = append(known, c.workers()...)
	}
	panic(fmt.Sprintf("cluster %s: there is no %q; there are %v", m.Name, id, known))
}

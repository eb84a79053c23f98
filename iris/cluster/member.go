package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"iris/iris/auth"
	"iris/iris/bundle"
	"iris/iris/config"
	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/peers"
	"iris/iris/state"
	"iris/iris/telemetry"
)

// member is one of the cluster's controllers, over all its lives: what is on its disk survives each of them.
type member struct {
	id, dir, address string
	first            bool // it bootstraps the cluster; the others wait to be added
	config           config.Cluster
	options          Options
	log              *slog.Logger
	ctx              context.Context // ends when the cluster stops
	watches          *sync.WaitGroup
	metrics          prometheus.Registerer
	calls            *telemetry.Calls
	scaling          controller.Scaling

	mu     sync.Mutex
	life   *life // nil while it is down
	halted bool  // somebody ended it: nobody but them starts it again
}

// life is one run of a member, from its start to its end.
type life struct {
	controller *controller.Controller
	peers      *peers.Peers
	ended      chan struct{}
}

// start begins a life.
func (m *member) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != nil {
		return fmt.Errorf("controller %s runs already", m.id)
	}
	m.halted = false
	return m.begin()
}

// again is start after a failure, unless somebody has ended or started it meanwhile.
func (m *member) again() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != nil || m.halted {
		return nil
	}
	return m.begin()
}

// begin is start of a member that is down. The caller holds m.mu.
func (m *member) begin() (err error) {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	store, err := bundle.NewStore(filepath.Join(m.dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		return err
	}
	serving, err := m.options.serving(auth.Controller, m.id)
	if err != nil {
		return err
	}
	toWorkers, err := m.options.dialling(auth.Controller, m.id, auth.Worker)
	if err != nil {
		return err
	}
	toControllers, err := m.options.dialling(auth.Controller, m.id, auth.Controller)
	if err != nil {
		return err
	}
	others := peers.New(m.options.network(m.id), store, slices.Concat(m.calls.DialOptions(), toControllers)...)
	defer func() {
		if err != nil {
			err = errors.Join(err, others.Close())
		}
	}()
	policy := controller.Policy(state.Policy{
		NoWorkerGrace: m.config.Controller.NoWorkerGrace, DispatchRounds: m.config.Controller.DispatchRounds,
		DispatchPause: m.config.Controller.DispatchPause,
	})
	c := controller.Config{
		Cluster: m.config.Name, ID: m.id, Network: m.options.network(m.id), Address: m.address, Bundles: others.Bundles(nil),
		WorkerTimeout: m.config.Controller.WorkerTimeout, Policy: policy,
		Retention: state.Retention(m.config.Controller.Retention), Scaling: m.scaling,
		ServerOptions: slices.Concat(telemetry.TraceServer(m.options.Traces), m.calls.ServerOptions(), serving),
		DialOptions:   slices.Concat(m.calls.DialOptions(), toWorkers),
		Services:      m.options.Services, Metrics: m.metrics, Traces: m.options.Traces, Log: m.log,
	}
	if m.options.durable() {
		raft, err := journal.OpenRaft(journal.RaftConfig{
			Dir: filepath.Join(m.dir, "journal"), ID: m.id, Address: m.address, Bootstrap: m.first, Policy: policy,
			Streams: others, Cluster: m.config.Name, Log: m.log, ElectionTimeout: m.options.ElectionTimeout,
			SnapshotEntries: m.options.SnapshotEntries, TrailingEntries: m.options.SnapshotEntries / 4,
		})
		if err != nil {
			return err
		}
		c.Journal, c.Bundles = raft, others.Bundles(raft.Others)
		c.Services = append([]func(grpc.ServiceRegistrar){others.Register}, c.Services...)
	}
	running, err := controller.Start(c)
	if err != nil {
		if c.Journal != nil {
			err = errors.Join(err, c.Journal.Close())
		}
		return err
	}
	m.address = running.Address() // the same in all its lives
	m.life = &life{running, others, make(chan struct{})}
	if life := m.life; m.options.Restart > 0 {
		m.watches.Go(func() { m.watch(life) })
	}
	return nil
}

// stop ends the current life, as abruptly as the end of a process would; it does nothing while the member is down.
func (m *member) stop() error { return m.end((*controller.Controller).Stop, true) }

// drain ends it in good order.
func (m *member) drain(ctx context.Context) error {
	return m.end(func(c *controller.Controller) error { return c.Drain(ctx) }, true)
}

func (m *member) end(how func(*controller.Controller) error, halt bool) error {
	m.mu.Lock()
	life := m.life
	m.life, m.halted = nil, m.halted || halt
	m.mu.Unlock()
	if life == nil {
		return nil
	}
	close(life.ended)
	return errors.Join(how(life.controller), life.peers.Close())
}

// current is the running controller, or nil.
func (m *member) current() *controller.Controller {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil {
		return nil
	}
	return m.life.controller
}

// watch starts the member again when this life fails, as often as it takes, as an init system would.
func (m *member) watch(l *life) {
	select {
	case <-l.controller.Failed():
	case <-l.ended:
		return
	}
	m.log.Warn("controller failed; it is started again", "controller", m.id, "in", m.options.Restart, "error", l.controller.Err())
	if err := m.end((*controller.Controller).Stop, false); err != nil {
		m.log.Error("failed controller did not end cleanly", "controller", m.id, "error", err)
	}
	for {
		select {
		case <-time.After(m.options.Restart):
		case <-m.ctx.Done():
			return
		}
		err := m.again()
		if err == nil || m.ctx.Err() != nil {
			return
		}
		m.log.Error("controller not started again; it is tried again", "controller", m.id, "in", m.options.Restart, "error", err)
	}
}

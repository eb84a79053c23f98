package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"iris/iris/journal"
	"iris/iris/network"
	"iris/iris/peers"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// Config is what a controller needs. Zero durations and policies take the defaults of design §3.
type Config struct {
	// Cluster names the cluster: the label by which chaos rules tell clusters apart.
	Cluster string
	// ID names this controller among those of its cluster. Default: c-0.
	ID string
	// Network and Address are where it listens; an empty address picks one.
	Network network.Network
	Address string
	// Advertise is the address by which others reach it. Default: where it listens.
	Advertise string
	// Journal is its log, made with the same policy. Nil: one in memory, which is gone with the controller. Stop closes it.
	Journal journal.Journal
	// Bundles stores uploaded workspaces. Nil: uploads are refused.
	Bundles *peers.Bundles
	// WorkerTimeout is how long a worker may be silent before it is lost. Default 60 s.
	WorkerTimeout time.Duration
	// Policy: zero fields take their defaults, see [Policy].
	Policy state.Policy
	// Retention is what is kept of the past; see [Retention] for the defaults.
	Retention state.Retention
	// Scaling is how it gets machines.
	Scaling Scaling
	// ServerOptions and DialOptions are added to its server and to its connections: credentials, limits, measurements.
	ServerOptions []grpc.ServerOption
	DialOptions   []grpc.DialOption
	// Services are registered with its server besides its own.
	Services []func(grpc.ServiceRegistrar)
	// Metrics is where measurements are registered, until Stop. Nil: nothing is measured.
	Metrics prometheus.Registerer
	// Traces makes spans of what becomes of jobs whose launch was part of a trace. Nil: there are none.
	Traces trace.TracerProvider
	// Log defaults to slog.Default.
	Log *slog.Logger

	traces  *traces  // made by Start
	metrics *metrics // made by Start
}

// Policy sets the defaults of what is zero: no-worker grace 10 min, 5 dispatch rounds, 10 s pause after the first, 15 s
// slack for timeouts.
func Policy(p state.Policy) state.Policy {
	setDefault(&p.NoWorkerGrace, 10*time.Minute)
	setDefault(&p.DispatchRounds, 5)
	setDefault(&p.DispatchPause, 10*time.Second)
	setDefault(&p.TimeoutSlack, 15*time.Second)
	return p
}

// Retention sets the defaults of what is zero: 10 000 jobs that are over, for 7 days; lost workers for 1 day. What is
// negative is no limit.
func Retention(r state.Retention) state.Retention {
	setDefault(&r.Jobs, 10_000)
	setDefault(&r.Age, 7*24*time.Hour)
	setDefault(&r.WorkerAge, 24*time.Hour)
	return state.Retention{Jobs: max(r.Jobs, 0), Age: max(r.Age, 0), WorkerAge: max(r.WorkerAge, 0)}
}

func (c *Config) setDefaults() {
	setDefault(&c.ID, "c-0")
	setDefault(&c.Network, network.Network(network.TCP{}))
	setDefault(&c.WorkerTimeout, time.Minute)
	c.Policy = Policy(c.Policy)
	c.Retention = Retention(c.Retention)
	if c.Journal == nil {
		c.Journal = journal.NewMemory(c.Policy)
	}
	c.Scaling.setDefaults()
	setDefault(&c.Log, slog.Default())
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Controller is a running controller. It decides while its journal leads, and refuses otherwise.
type Controller struct {
	config    Config
	seat      *seat
	gate      *gate
	server    *grpc.Server
	health    *health.Server
	listener  net.Listener
	ctx       context.Context // ends when the controller stops
	stop      context.CancelFunc
	running   sync.WaitGroup
	failed    chan struct{} // closed when it cannot go on
	err       error         // why; written before failed is closed
	close     func() error  // the journal, once
	unmeasure func()
}

// Start opens the address and serves until Stop, which closes the journal. After an error nothing runs, and the journal is
// still the caller's.
func Start(config Config) (*Controller, error) {
	config.setDefaults()
	listener, err := config.Network.Listen(config.Address)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	setDefault(&config.Advertise, listener.Addr().String())
	config.traces = newTraces(config.Traces)
	seat, gate := newSeat(config.Journal, config.Advertise), newGate(config.Journal, config.Advertise)
	unmeasure, err := config.measure(seat)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("controller: %w", err), listener.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Controller{
		config: config, seat: seat, gate: gate, server: network.Server(slices.Concat(config.ServerOptions, gate.options())...),
		health: health.NewServer(), listener: listener, ctx: ctx, stop: stop, failed: make(chan struct{}),
		close: sync.OnceValue(config.Journal.Close), unmeasure: unmeasure,
	}
	pb.RegisterControllerServiceServer(c.server, &jobService{seat: c.seat, bundles: config.Bundles, traces: config.traces})
	pb.RegisterRegistryServiceServer(c.server, &registryService{seat: c.seat, bundles: config.Bundles, log: config.Log})
	pb.RegisterClusterServiceServer(c.server, &clusterService{controller: c})
	grpc_health_v1.RegisterHealthServer(c.server, c.health)
	reflection.Register(c.server)
	for _, register := range config.Services {
		register(c.server)
	}

	c.running.Go(c.lead)
	c.running.Go(c.watch)
	if config.Bundles != nil {
		config.Bundles.Answer(c.unused)
		c.running.Go(c.prune)
	}
	c.running.Go(func() {
		if err := c.server.Serve(listener); err != nil {
			config.Log.Error("controller server ended", "error", err)
		}
	})
	config.Log.Info("controller serves", "cluster", config.Cluster, "controller", config.ID, "address", c.Address())
	return c, nil
}

// lead decides whenever the journal lets it, one term after the other.
func (c *Controller) lead() {
	for {
		term, err := c.config.Journal.Lead(c.ctx)
		if err != nil {
			if c.ctx.Err() == nil {
				c.fail(err)
			}
			return
		}
		l := newLoop(c.config, c.seat, term)
		c.seat.take(l)
		c.config.metrics.term()
		stopped := context.AfterFunc(c.ctx, l.stop)
		c.config.Log.Info("controller leads", "cluster", c.config.Cluster, "controller", c.config.ID)
		l.run()
		stopped()
		l.stop()
		why := l.ended
		c.seat.leave(why, c.ctx.Err() != nil)
		term.End()
		switch {
		case errors.Is(why, journal.ErrCrashed):
			c.fail(why)
			return
		case c.ctx.Err() == nil:
			c.config.Log.Warn("controller leads no more", "controller", c.config.ID, "reason", why)
		}
	}
}

// fail ends what the controller does for others: it cannot go on. Stop must still be called.
func (c *Controller) fail(err error) {
	c.config.Log.Error("controller cannot go on", "controller", c.config.ID, "error", err)
	c.err = err
	c.seat.leave(err, true)
	close(c.failed)
	c.running.Go(func() {
		c.server.Stop()
		if err := c.close(); err != nil {
			c.config.Log.Error("journal of a failed controller not closed", "controller", c.config.ID, "error", err)
		}
	})
}

// Failed is closed when the controller cannot go on: its journal is of no use any more, or chaos crashed it. Err says why.
func (c *Controller) Failed() <-chan struct{} { return c.failed }

// Err is why the controller failed; nil while it has not.
func (c *Controller) Err() error {
	select {
	case <-c.failed:
		return c.err
	default:
		return nil
	}
}

// Address is where clients and workers reach it.
func (c *Controller) Address() string { return c.config.Advertise }

// Leads reports whether this controller decides now.
func (c *Controller) Leads() bool {
	l, _, _ := c.seat.look()
	return l != nil
}

// Check verifies every invariant of the state (see [state.Cluster.Check]); for tests and for operators in doubt.
func (c *Controller) Check(ctx context.Context) error {
	wrong, err := c.check(ctx)
	if err != nil {
		return err
	}
	return wrong
}

// check tells what does not hold from why it could not be looked at.
func (c *Controller) check(ctx context.Context) (wrong, err error) {
	return ask(ctx, c.seat, nil, func(l *loop, _ []error) error { return l.leader.Cluster().Check() })
}

// Describe writes the whole state as text, times as seconds since the given instant.
func (c *Controller) Describe(ctx context.Context, since time.Time) (string, error) {
	return ask(ctx, c.seat, nil, func(l *loop, _ []error) string { return l.leader.Cluster().Describe(since) })
}

// Stop ends the controller: calls under way fail with UNAVAILABLE, and nothing of it runs once Stop returns.
func (c *Controller) Stop() error {
	c.health.Shutdown()
	c.seat.leave(nil, true)
	c.stop()
	c.server.Stop()
	c.running.Wait()
	c.unmeasure()
	return c.close()
}

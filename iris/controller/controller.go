package controller

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"iris/iris/bundle"
	"iris/iris/journal"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// Config is what a controller needs. Zero durations and policies take the defaults of design §3.
type Config struct {
	// Cluster names the cluster: the label by which chaos rules tell clusters apart.
	Cluster string
	// Network and Address are where it listens; an empty address picks one.
	Network network.Network
	Address string
	// Journal is its log. Default: journal.Memory.
	Journal journal.Journal
	// Bundles stores uploaded workspaces. Nil: uploads are refused.
	Bundles *bundle.Store
	// WorkerTimeout is how long a worker may be silent before it is lost. Default 60 s.
	WorkerTimeout time.Duration
	// Policy: zero fields take their defaults: no-worker grace 10 min, 5 dispatch rounds, 10 s pause after the first, 15 s
	// slack for timeouts.
	Policy state.Policy
	// ServerOptions and DialOptions are added to its server and to its connections: credentials, limits, measurements.
	ServerOptions []grpc.ServerOption
	DialOptions   []grpc.DialOption
	// Services are registered with its server besides its own.
	Services []func(grpc.ServiceRegistrar)
	// Log defaults to slog.Default.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	setDefault(&c.Network, network.Network(network.TCP{}))
	setDefault(&c.Journal, journal.Journal(journal.Memory{}))
	setDefault(&c.WorkerTimeout, time.Minute)
	setDefault(&c.Policy.NoWorkerGrace, 10*time.Minute)
	setDefault(&c.Policy.DispatchRounds, 5)
	setDefault(&c.Policy.DispatchPause, 10*time.Second)
	setDefault(&c.Policy.TimeoutSlack, 15*time.Second)
	setDefault(&c.Log, slog.Default())
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Controller is a running controller.
type Controller struct {
	config   Config
	loop     *loop
	server   *grpc.Server
	health   *health.Server
	listener net.Listener
	running  sync.WaitGroup
}

// Start opens the address, recovers the state from the journal and serves until Stop, which closes the journal. After an
// error nothing runs, and the journal is still the caller's.
func Start(config Config) (*Controller, error) {
	config.setDefaults()
	listener, err := config.Network.Listen(config.Address)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	c := &Controller{config: config, loop: newLoop(config), server: network.Server(config.ServerOptions...), health: health.NewServer(), listener: listener}
	if err := config.Journal.Replay(c.loop.replay); err != nil {
		_ = listener.Close() // the first error is the one that matters
		return nil, fmt.Errorf("controller: replay the journal: %w", err)
	}
	pb.RegisterControllerServiceServer(c.server, &jobService{loop: c.loop, bundles: config.Bundles})
	pb.RegisterRegistryServiceServer(c.server, &registryService{loop: c.loop, bundles: config.Bundles})
	grpc_health_v1.RegisterHealthServer(c.server, c.health)
	reflection.Register(c.server)
	for _, register := range config.Services {
		register(c.server)
	}

	c.running.Go(c.loop.run)
	c.running.Go(func() {
		if err := c.server.Serve(listener); err != nil {
			config.Log.Error("controller server ended", "error", err)
		}
	})
	config.Log.Info("controller serves", "cluster", config.Cluster, "address", c.Address())
	return c, nil
}

// Address is where clients and workers reach it.
func (c *Controller) Address() string { return c.listener.Addr().String() }

// Check verifies every invariant of the state (see [state.Cluster.Check]); for tests and for operators in doubt.
func (c *Controller) Check(ctx context.Context) error {
	wrong, err := ask(ctx, c.loop, nil, func(s *state.Cluster, _ []error) error { return s.Check() })
	if err != nil {
		return err
	}
	return wrong
}

// Describe writes the whole state as text, times as seconds since the given instant.
func (c *Controller) Describe(ctx context.Context, since time.Time) (string, error) {
	return ask(ctx, c.loop, nil, func(s *state.Cluster, _ []error) string { return s.Describe(since) })
}

// Stop ends the controller: calls under way fail with UNAVAILABLE, and nothing of it runs once Stop returns.
func (c *Controller) Stop() error {
	c.health.Shutdown()
	c.server.Stop()
	c.loop.stop()
	c.running.Wait()
	return c.config.Journal.Close()
}

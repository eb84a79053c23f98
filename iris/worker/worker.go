package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"iris/chaos"
	"iris/iris/bundle"
	"iris/iris/keeper"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/state"
)

// Config is what a worker needs. Zero durations take the defaults named.
type Config struct {
	// Cluster names the cluster: the label by which chaos rules tell clusters apart.
	Cluster string
	// ID is the worker's name, unique in its cluster and kept over restarts.
	ID string
	// Controller is the controller's address, or those of several, separated by commas: the worker follows the leader.
	Controller string
	// Network and Address are where the worker listens; an empty address picks one.
	Network network.Network
	Address string
	// Advertise is the host, or host:port, by which the controller reaches it. Default: where it listens.
	Advertise string
	// Capacity is what it offers, Attributes what constraints and gangs see.
	Capacity   state.Resources
	Attributes map[string]string
	// Functions and Processes run the two kinds of entrypoints. Nil: this worker cannot.
	Functions, Processes runtime.Runtime
	// Keeper runs commands instead of Processes, so that they survive this process: the next one with the same keeper
	// takes them over, with their logs. Nil: they end with the worker.
	Keeper *keeper.Options
	// WorkDir is where attempts get their directories. With a Keeper it is this worker's alone, and what attempts that are
	// gone have left there is removed. Bundles caches downloaded workspaces; nil: jobs with a bundle fail.
	WorkDir string
	Bundles *bundle.Cache
	// HeartbeatInterval is the time between beats. Default 10 s.
	HeartbeatInterval time.Duration
	// PollInterval is the time between two looks at a running attempt. Default 5 s.
	PollInterval time.Duration
	// KillGrace is how long a process may take to end after SIGTERM. Default 5 s.
	KillGrace time.Duration
	// DrainTimeout is how long Drain lets what runs here go on. Default 1 min; negative: not at all.
	DrainTimeout time.Duration
	// ServerOptions and DialOptions are added to its server and to its connections: credentials, limits, measurements.
	ServerOptions []grpc.ServerOption
	DialOptions   []grpc.DialOption
	// Services are registered with its server besides its own.
	Services []func(grpc.ServiceRegistrar)
	// Metrics is where measurements are registered, until Stop. Nil: nothing is measured.
	Metrics prometheus.Registerer
	// Traces makes spans of attempts whose order was part of a trace. Nil: there are none.
	Traces trace.TracerProvider
	// Log defaults to slog.Default.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Network == nil {
		c.Network = network.TCP{}
	}
	if c.HeartbeatInterval == 0 {
		c.HeartbeatInterval = 10 * time.Second
	}
	if c.PollInterval == 0 {
		c.PollInterval = 5 * time.Second
	}
	if c.KillGrace == 0 {
		c.KillGrace = 5 * time.Second
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = c.Log.With("worker", c.ID)
}

// Worker is a running worker.
type Worker struct {
	config      Config
	incarnation string
	timesLost   atomic.Int32 // as of the last registration
	labels      chaos.Labels
	listener    net.Listener
	server      *grpc.Server
	health      *health.Server
	conn        *network.Controllers
	registry    pb.RegistryServiceClient
	ledger      *ledger
	logs        *logs
	ports       *ports
	directories *directories
	lease       lease
	beating     *pulse
	reporting   *pulse
	drain       *drain
	readers     readers
	metrics     *metrics
	traces      *traces
	unmeasure   func()
	keeper      *keeper.Client // nil: there is none

	ctx        context.Context // ends when the worker stops
	stop       context.CancelFunc
	hurry      chan struct{} // asks for a heartbeat soon
	registered chan struct{} // closed when the controller has taken the worker for the first time
	ended      chan error    // why it cannot go on
	running    sync.WaitGroup
}

// keeperTimeout bounds how long a worker waits for its keeper when it starts, and when it ends.
const keeperTimeout = time.Minute

// Start listens, takes over what its keeper holds, serves, and keeps registering in the background until the controller
// takes the worker.
func Start(config Config) (*Worker, error) {
	config.setDefaults()
	incarnation, err := uuid.NewV7() // ordered by time: a later start is a greater incarnation
	if err != nil {
		return nil, fmt.Errorf("worker %s: %w", config.ID, err)
	}
	listener, err := config.Network.Listen(config.Address)
	if err != nil {
		return nil, fmt.Errorf("worker %s: %w", config.ID, err)
	}
	conn, err := network.ToControllers(config.Network, config.Controller, config.DialOptions...)
	if err != nil {
		_ = listener.Close() // the first error is the one that matters
		return nil, fmt.Errorf("worker %s: %w", config.ID, err)
	}
	labels := chaos.Labels{"cluster": config.Cluster, "worker": config.ID}
	ctx, stop := context.WithCancel(context.Background())
	w := &Worker{
		config: config, incarnation: incarnation.String(),
		labels:   labels,
		listener: listener, server: network.Server(config.ServerOptions...), health: health.NewServer(),
		conn: conn, registry: pb.NewRegistryServiceClient(conn),
		ledger: newLedger(labels), logs: newLogs(), ports: newPorts(), directories: &directories{root: config.WorkDir},
		beating: newPulse("heartbeat"), reporting: newPulse("report"), drain: newDrain(), traces: newTraces(config.Traces),
		ctx: ctx, stop: stop, hurry: make(chan struct{}, 1), registered: make(chan struct{}), ended: make(chan error, 1),
	}
	if w.unmeasure, err = w.measure(); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("worker %s: %w", config.ID, err), conn.Close(), listener.Close())
	}
	if config.Keeper != nil { // last of all: whoever has it so far loses it
		if err := w.takeOver(); err != nil {
			stop()
			w.unmeasure()
			return nil, errors.Join(fmt.Errorf("worker %s: %w", config.ID, err), conn.Close(), listener.Close())
		}
	}
	pb.RegisterWorkerServiceServer(w.server, &service{w: w})
	grpc_health_v1.RegisterHealthServer(w.server, w.health)
	reflection.Register(w.server)
	for _, register := range config.Services {
		register(w.server)
	}
	w.running.Go(func() {
		if err := w.server.Serve(listener); err != nil {
			w.config.Log.Error("worker server ended", "error", err)
		}
	})
	w.running.Go(w.keepInTouch)
	w.running.Go(w.report)
	w.running.Go(w.watch)
	return w, nil
}

// Address is where the controller reaches the worker.
func (w *Worker) Address() string {
	listens := w.listener.Addr().String()
	if w.config.Advertise == "" {
		return listens
	}
	if _, _, err := net.SplitHostPort(w.config.Advertise); err == nil {
		return w.config.Advertise
	}
	_, port, err := net.SplitHostPort(listens)
	if err != nil {
		return w.config.Advertise // not of a network that has ports
	}
	return net.JoinHostPort(w.config.Advertise, port)
}

// Registered is closed once the controller has taken the worker for the first time.
func (w *Worker) Registered() <-chan struct{} { return w.registered }

// Ended has an error once, when the worker cannot go on: the controller refuses it for good, or another process has taken
// over its keeper. Stop it then.
func (w *Worker) Ended() <-chan error { return w.ended }

func (w *Worker) cannotGoOn(err error) {
	select {
	case w.ended <- err:
	default: // the first error is the one that matters
	}
}

func (w *Worker) everRegistered() bool {
	select {
	case <-w.registered:
		return true
	default:
		return false
	}
}

// Stop kills what runs here and ends the worker and its keeper; nothing of it runs once Stop returns. A function that
// ignores its context keeps Stop waiting.
func (w *Worker) Stop() error {
	w.health.Shutdown()
	w.stop()
	w.server.Stop()
	w.running.Wait()
	w.unmeasure()
	var err error
	if !w.replaced() {
		err = w.directories.clear()
	}
	if w.keeper != nil {
		ctx, cancel := context.WithTimeout(context.Background(), keeperTimeout)
		defer cancel()
		err = errors.Join(err, w.keeper.Shutdown(ctx))
	}
	return errors.Join(err, w.conn.Close())
}

// ChaosLabels are what chaos rules can tell this worker by.
func (w *Worker) ChaosLabels() chaos.Labels { return w.labels }

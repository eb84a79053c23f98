package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"iris/iris/bundle"
	"iris/iris/faults"
	"iris/iris/keeper"
	"iris/iris/runtime"
	"iris/iris/settings"
	"iris/iris/state"
	"iris/iris/worker"
)

// workerDaemon is `iris worker`: one worker in the foreground.
type workerDaemon struct {
	*app
	log               logFlags
	cluster           string
	controllers       []string
	id                string
	listen            string
	advertise         string
	cpu               float64
	memory            int64
	attributes        [][2]string
	dataDir           string
	heartbeatInterval time.Duration
	pollInterval      time.Duration
	killGrace         time.Duration
	drainTimeout      time.Duration
	credentials       credentialFlags
	chaos             chaosFlag
	telemetry         telemetryFlags
}

func newWorker(a *app) *cobra.Command {
	d := &workerDaemon{
		app: a, log: logFlags{"info", "text"}, cluster: "iris", controllers: []string{defaultController}, listen: "127.0.0.1:0",
		heartbeatInterval: 10 * time.Second, pollInterval: 5 * time.Second, killGrace: 5 * time.Second,
		drainTimeout: time.Minute,
	}
	d.id, _ = os.Hostname() // without one, --id must be given
	d.cpu, d.memory = machine()
	c := &cobra.Command{
		Use:   "worker",
		Short: "Run a worker in the foreground, or ask about workers",
		Long: `Run a worker in the foreground until SIGTERM or SIGINT: then it takes nothing new, and ends when what it runs has ended, or
the --drain-timeout is over. A second signal ends it at once. It logs to standard error, and prints one line on standard output
when a controller has taken it.

With --data-dir, what it runs outlives a worker that is killed: the next one with the same directory takes it over.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	flags := c.Flags()
	d.log.add(flags)
	settings.Var(flags, &d.cluster, "cluster", "the name of the cluster", settings.Text("name"))
	settings.ListVar(flags, &d.controllers, "controller", controllerUsage, ",", settings.Address())
	settings.Var(flags, &d.id, "id", "the worker's name, unique in its cluster and kept over restarts",
		settings.Text("name"))
	settings.Var(flags, &d.listen, "listen", "the address it serves the controllers at", settings.Address())
	settings.Var(flags, &d.advertise, "advertise", "the host, or host:port, the controllers reach it by; unset, where it listens",
		settings.Text("host[:port]"))
	settings.Var(flags, &d.cpu, "cpu", "the cores it offers; unset, all that this machine has", settings.Cores())
	settings.Var(flags, &d.memory, "memory", "the memory it offers; unset, what this machine has less a sixteenth",
		settings.Bytes())
	settings.ListVar(flags, &d.attributes, "attribute", "what constraints and gangs see of it", ",",
		settings.Pair("an attribute"))
	settings.Var(flags, &d.dataDir, "data-dir", "where it keeps workspaces, tasks and their logs over a restart; unset, it keeps none",
		settings.Text("directory"))
	settings.Var(flags, &d.heartbeatInterval, "heartbeat-interval", "the time between two heartbeats",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.pollInterval, "poll-interval", "the time between two looks at a running attempt",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.drainTimeout, "drain-timeout",
		"how long what it runs may go on after SIGTERM; then it is stopped, and run elsewhere", settings.Duration(0))
	settings.Var(flags, &d.killGrace, "kill-grace", "how long a process may take to end after SIGTERM",
		settings.Duration(0))
	d.credentials.addServer(flags)
	d.chaos.add(flags)
	d.telemetry.add(flags)
	c.AddCommand(newWorkerList(a))
	return c
}

const cacheBytes = 10 << 30 // of downloaded workspaces

func (d *workerDaemon) run(ctx context.Context) (err error) {
	attributes, err := d.check()
	if err != nil {
		return usageError{err}
	}
	log := d.log.logger(d.err)
	if err := d.telemetry.measure("iris-worker", d.id, log); err != nil {
		return err
	}
	dialling, err := d.credentials.dial(log)
	if err != nil {
		return err
	}
	serving, err := d.credentials.serve(log, d.listen)
	if err != nil {
		return err
	}
	broken, err := d.chaos.arm(faults.Config{Cluster: d.cluster, Names: []string{d.id}, Log: log}, "worker")
	if err != nil {
		return err
	}
	dir := d.dataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "iris-worker-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	cache, err := bundle.NewCache(filepath.Join(dir, "bundles"), cacheBytes)
	if err != nil {
		return fmt.Errorf("worker %s: %w", d.id, err)
	}
	config := worker.Config{
		Cluster: d.cluster, ID: d.id, Controller: strings.Join(d.controllers, ","), Address: d.listen, Advertise: d.advertise,
		Capacity:   state.Resources{CPUMillis: state.Millis(d.cpu), MemoryBytes: d.memory},
		Attributes: attributes,
		WorkDir:    filepath.Join(dir, "tasks"), Bundles: cache,
		HeartbeatInterval: d.heartbeatInterval, PollInterval: d.pollInterval, KillGrace: d.killGrace, DrainTimeout: limit(d.drainTimeout),
		ServerOptions: d.telemetry.serving(serving), DialOptions: d.telemetry.dialling(dialling),
		Services: []func(grpc.ServiceRegistrar){broken}, Metrics: d.telemetry.metrics(),
		Traces: d.telemetry.spans.Provider(), Log: log,
	}
	if d.dataDir != "" {
		config.Keeper = &keeper.Options{Dir: filepath.Join(dir, "keeper"), Args: d.log.arguments()}
	} else {
		processes := runtime.NewProcess()
		defer func() { err = errors.Join(err, processes.Close()) }()
		config.Processes = processes
	}
	w, err := worker.Start(config)
	if err != nil {
		return listening(err)
	}
	defer d.chaos.log(d.cluster, log)()
	hide, err := d.telemetry.show(w.Healthy, log)
	if err != nil {
		return errors.Join(err, w.Stop())
	}
	if err = d.await(ctx, w); err != nil {
		return errors.Join(err, w.Stop(), hide())
	}
	return errors.Join(w.Drain(context.WithoutCancel(ctx)), hide())
}

// await returns when the worker is to stop, and why if it cannot go on.
func (d *workerDaemon) await(ctx context.Context, w *worker.Worker) error {
	registered := w.Registered()
	for {
		select {
		case <-registered:
			fmt.Fprintf(d.out, "iris worker %s serves at %s\n", d.id, w.Address())
			registered = nil
		case err := <-w.Ended():
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// check finds what no single flag can tell.
func (d *workerDaemon) check() (attributes map[string]string, err error) {
	wrong := []error{d.telemetry.check()}
	if d.id == "" {
		wrong = append(wrong, errors.New("this machine has no host name; name the worker with --id"))
	}
	if d.cpu == 0 || d.memory == 0 {
		wrong = append(wrong, errors.New("this system does not say what it has; say what the worker offers with --cpu and --memory"))
	}
	attributes = map[string]string{}
	for _, pair := range d.attributes {
		if _, twice := attributes[pair[0]]; twice {
			wrong = append(wrong, fmt.Errorf("the attribute %s is given twice", pair[0]))
		}
		attributes[pair[0]] = pair[1]
	}
	return attributes, errors.Join(wrong...)
}

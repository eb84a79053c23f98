package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"iris/iris/auth"
	"iris/iris/controller"
	"iris/iris/dashboard"
	"iris/iris/faults"
	"iris/iris/settings"
	"iris/iris/state"
)

// controllerDaemon is `iris controller`: one controller in the foreground.
type controllerDaemon struct {
	*app
	log           logFlags
	listen        string
	advertise     string
	cluster       string
	id            string
	unnamed       bool // nobody said what it is to be called
	dataDir       string
	ephemeral     bool
	join          []string
	empty         bool            // the data directory was
	voters        func() []string // addresses of the other controllers
	workerTimeout time.Duration
	policy        state.Policy
	retention     state.Retention
	credentials   credentialFlags
	chaos         chaosFlag
	telemetry     telemetryFlags
	dashboard     dashboardFlags
	machines      machines
}

// firstController is the name of a controller that is the only one.
const firstController = "c-0"

func newController(a *app) *cobra.Command {
	d := &controllerDaemon{
		app: a, log: logFlags{"info", "text"}, listen: defaultController, cluster: "iris", id: firstController, workerTimeout: time.Minute,
		policy: controller.Policy(state.Policy{}), retention: controller.Retention(state.Retention{}),
	}
	c := &cobra.Command{
		Use:   "controller {--data-dir DIR | --ephemeral}",
		Short: "Run a controller in the foreground",
		Long: `Run a controller in the foreground until SIGTERM or SIGINT: then it answers what it was asked before and, if it leads,
has another one lead. A second signal ends it at once. It logs to standard error, and prints one line on standard output when
it serves.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			d.unnamed = !c.Flags().Changed("id")
			return d.run(c.Context())
		},
	}
	flags := c.Flags()
	d.log.add(flags)
	settings.Var(flags, &d.listen, "listen", "the address it serves clients, workers and other controllers at",
		settings.Address())
	settings.Var(flags, &d.advertise, "advertise", "the address others reach it by; unset, where it listens",
		settings.Address())
	settings.Var(flags, &d.cluster, "cluster", "the name of the cluster", settings.Text("name"))
	settings.Var(flags, &d.dataDir, "data-dir", "where it keeps its state", settings.Text("directory"))
	settings.Var(flags, &d.id, "id", "its name among the controllers of its cluster; it stays with its --data-dir",
		settings.Text("name"))
	settings.ListVar(flags, &d.join, "join",
		"with an empty --data-dir, become one of the controllers that serve there instead of beginning a cluster", ",",
		settings.Address())
	settings.Var(flags, &d.ephemeral, "ephemeral", "keep the state in memory: it is gone when the controller ends",
		settings.Bool())
	settings.Var(flags, &d.workerTimeout, "worker-timeout", "a worker that is silent for so long is lost",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.policy.NoWorkerGrace, "no-worker-grace",
		"how long a task that lost its worker waits for one that could run it", settings.Duration(time.Millisecond))
	settings.Var(flags, &d.policy.DispatchRounds, "dispatch-rounds", "how often every worker is tried before a task fails",
		settings.Count(1, 1000))
	settings.Var(flags, &d.policy.DispatchPause, "dispatch-pause", "the pause after the first round; it doubles with each",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.retention.Jobs, "keep-jobs", "how many jobs are kept that are over; 0: all",
		settings.Count(0, 1<<30))
	settings.Var(flags, &d.retention.Age, "keep-jobs-for", "how long jobs are kept that are over; 0: for ever",
		settings.Duration(0))
	settings.Var(flags, &d.retention.WorkerAge, "keep-workers-for", "how long lost workers are kept; 0: for ever",
		settings.Duration(0))
	d.machines.add(flags)
	d.credentials.addServer(flags)
	d.chaos.add(flags)
	d.telemetry.add(flags)
	d.dashboard.add(flags)
	return c
}

func (d *controllerDaemon) run(ctx context.Context) error {
	if err := d.check(); err != nil {
		return usageError{err}
	}
	log := d.log.logger(d.err)
	config := controller.Config{
		Cluster: d.cluster, ID: d.id, Address: d.listen, Advertise: d.advertise, WorkerTimeout: d.workerTimeout, Policy: d.policy,
		Retention: state.Retention{
			Jobs: limit(d.retention.Jobs), Age: limit(d.retention.Age), WorkerAge: limit(d.retention.WorkerAge),
		},
		Log: log,
	}
	err := d.telemetry.measure("iris-controller", d.id, log)
	if err != nil {
		return err
	}
	config.Metrics, config.Traces = d.telemetry.metrics(), d.telemetry.spans.Provider()
	if config.ServerOptions, err = d.credentials.serve(log, d.listen); err != nil {
		return err
	}
	if config.DialOptions, err = d.credentials.dial(log, auth.Worker); err != nil {
		return err
	}
	toControllers, err := d.credentials.dial(log, auth.Controller)
	if err != nil {
		return err
	}
	config.ServerOptions, config.DialOptions = d.telemetry.serving(config.ServerOptions), d.telemetry.dialling(config.DialOptions)
	toControllers = d.telemetry.dialling(toControllers)
	others, err := d.others(&config, toControllers)
	if err != nil {
		return err
	}
	release, err := d.store(&config, toControllers)
	if err != nil {
		return errors.Join(err, others.close())
	}
	if config.Scaling, err = d.machines.open(d.dataDir, d.cluster, d.controllers, d.chaos.on, log); err != nil {
		return errors.Join(err, config.Journal.Close(), release(), others.close())
	}
	return errors.Join(d.serve(ctx, config, others, toControllers), d.machines.end(), release(), others.close())
}

// limit makes a limit of a flag: 0 is none, which is negative in a configuration, where 0 is the default.
func limit[N int | time.Duration](n N) N {
	if n == 0 {
		return -1
	}
	return n
}

// others makes the connections to the other daemons of the cluster, and the service that breaks them.
func (d *controllerDaemon) others(config *controller.Config, toControllers []grpc.DialOption) (*processes, error) {
	others := newProcesses(config.DialOptions, toControllers)
	service, err := d.chaos.arm(faults.Config{
		Cluster: d.cluster, Names: []string{d.id, "controller"}, Peers: others.directory.Processes, Log: config.Log,
	}, "controller")
	if err != nil {
		return nil, err
	}
	config.Services = append(config.Services, service)
	return others, nil
}

// serve runs the controller until it is told to stop, or cannot go on.
func (d *controllerDaemon) serve(ctx context.Context, config controller.Config, others *processes,
	toControllers []grpc.DialOption) error {
	c, err := controller.Start(config)
	if err != nil {
		err = listening(err)
		if config.Journal != nil {
			err = errors.Join(err, config.Journal.Close())
		}
		return err
	}
	defer d.chaos.log(d.cluster, config.Log)()
	hide, err := d.telemetry.show(c.Healthy, config.Log)
	if err != nil {
		return errors.Join(err, c.Stop())
	}
	if err := others.connect(append([]string{c.Address()}, d.join...), toControllers); err != nil {
		return errors.Join(err, hide(), c.Stop())
	}
	shut, err := d.dashboard.show(dashboard.Config{
		Cluster: d.cluster, Controller: d.id, Leads: c.Leads, Chaos: d.chaos.on,
	}, c.Address(), d.credentials.Config, config.Log)
	if err != nil {
		return errors.Join(err, hide(), c.Stop())
	}
	ctx, stop := context.WithCancel(ctx)
	var joining sync.WaitGroup
	refused := make(chan error, 1)
	if len(d.join) > 0 && d.empty {
		joining.Go(func() {
			if err := others.join(ctx, config.Log, d.id, c.Address()); err != nil {
				refused <- err
			}
		})
	}
	fmt.Fprintf(d.out, "iris controller serves at %s\n", c.Address())
	end := c.Stop
	select {
	case <-ctx.Done():
		end = func() error { return c.Drain(context.WithoutCancel(ctx)) }
	case <-c.Failed():
	case err = <-refused:
	}
	stop()
	joining.Wait()
	return errors.Join(err, c.Err(), shut(), end(), hide())
}

// address is where others reach this controller, as far as that is known before it listens.
func (d *controllerDaemon) address() string {
	if d.advertise != "" {
		return d.advertise
	}
	return d.listen
}

// controllers are the addresses of all that this one, which leads, knows.
func (d *controllerDaemon) controllers() []string {
	return append([]string{d.address()}, d.voters()...)
}

// check finds what no single flag can tell, and completes the address that others reach this controller by.
func (d *controllerDaemon) check() error {
	wrong := []error{d.telemetry.check(), d.dashboard.check(d.credentials.Config), d.machines.read()}
	host, port, err := net.SplitHostPort(d.listen)
	if err != nil {
		return fmt.Errorf("flag --listen: %w", err)
	}
	switch {
	case d.ephemeral && d.dataDir != "":
		wrong = append(wrong, errors.New("--ephemeral keeps nothing, and --data-dir says where to keep it; give one of them"))
	case !d.ephemeral && d.dataDir == "":
		wrong = append(wrong, errors.New("say where the controller keeps its state, with --data-dir DIR, or that it "+
			"keeps none, with --ephemeral"))
	case d.ephemeral && d.machines.file != "":
		wrong = append(wrong, errors.New("--ephemeral controllers forget the machines of their --groups; give --data-dir"))
	case d.ephemeral && len(d.join) > 0:
		wrong = append(wrong, errors.New("--ephemeral controllers cannot join others; give --data-dir"))
	}
	if len(d.join) > 0 && d.unnamed {
		wrong = append(wrong, fmt.Errorf("a controller that joins others needs a name of its own; %s is the first one's: give --id", d.id))
	}
	if d.advertise != "" {
		return errors.Join(wrong...)
	}
	if port == "0" && d.dataDir != "" {
		wrong = append(wrong, errors.New("a controller that keeps its state is known by its address; give --listen a port, "+
			"or --advertise"))
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil || port == "0" {
			wrong = append(wrong, fmt.Errorf("%s is no address that others can reach; give --advertise", d.listen))
		}
		d.advertise = net.JoinHostPort(name, port)
	}
	return errors.Join(wrong...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/network"
	"iris/iris/peers"
	"iris/iris/settings"
	"iris/iris/state"
)

// controllerDaemon is `iris controller`: one controller in the foreground.
type controllerDaemon struct {
	*app
	log           logFlags
	listen        string
	cluster       string
	dataDir       string
	ephemeral     bool
	workerTimeout time.Duration
	policy        state.Policy
	credentials   credentialFlags
}

func newController(a *app) *cobra.Command {
	d := &controllerDaemon{
		app: a, log: logFlags{"info", "text"}, listen: defaultController, cluster: "iris", workerTimeout: time.Minute,
		policy: controller.Policy(state.Policy{}),
	}
	c := &cobra.Command{
		Use:   "controller {--data-dir DIR | --ephemeral}",
		Short: "Run a controller in the foreground",
		Long: `Run a controller in the foreground until SIGTERM or SIGINT. It logs to standard error, and prints one line on standard
output when it serves.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	flags := c.Flags()
	d.log.add(flags)
	settings.Var(flags, &d.listen, "listen", "", "the address it serves clients and workers at", settings.Address())
	settings.Var(flags, &d.cluster, "cluster", "", "the name of the cluster", settings.Text("name"))
	settings.Var(flags, &d.dataDir, "data-dir", "", "where it keeps its state", settings.Text("directory"))
	settings.Var(flags, &d.ephemeral, "ephemeral", "", "keep the state in memory: it is gone when the controller ends", settings.Bool())
	settings.Var(flags, &d.workerTimeout, "worker-timeout", "", "a worker that is silent for so long is lost",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.policy.NoWorkerGrace, "no-worker-grace", "",
		"how long a task that lost its worker waits for one that could run it", settings.Duration(time.Millisecond))
	settings.Var(flags, &d.policy.DispatchRounds, "dispatch-rounds", "", "how often every worker is tried before a task fails",
		settings.Count(1, 1000))
	settings.Var(flags, &d.policy.DispatchPause, "dispatch-pause", "", "the pause after the first round; it doubles with each",
		settings.Duration(time.Millisecond))
	d.credentials.addServer(flags)
	return c
}

func (d *controllerDaemon) run(ctx context.Context) error {
	log := d.log.logger(d.err)
	config := controller.Config{
		Cluster: d.cluster, Address: d.listen, WorkerTimeout: d.workerTimeout, Policy: d.policy, Log: log,
	}
	clean, err := d.store(&config)
	if err != nil {
		return err
	}
	defer clean()
	c, err := controller.Start(config)
	if err != nil {
		return listening(err)
	}
	fmt.Fprintf(d.out, "iris controller serves at %s\n", c.Address())
	select {
	case <-ctx.Done():
		log.Info("controller stops")
	case <-c.Failed():
	}
	return errors.Join(c.Err(), c.Stop())
}

// store gives the controller its directory; clean removes one that was only for this run.
func (d *controllerDaemon) store(config *controller.Config) (clean func(), err error) {
	dir, clean := d.dataDir, func() {}
	switch {
	case d.ephemeral && dir != "":
		return nil, usageError{errors.New("--ephemeral keeps nothing, and --data-dir says where to keep it; give one of them")}
	case d.ephemeral:
		if dir, err = os.MkdirTemp("", "iris-controller-"); err != nil {
			return nil, err
		}
		clean = func() { _ = os.RemoveAll(dir) } // a temporary directory: the system clears what is left
	case dir == "":
		return nil, usageError{errors.New("say where the controller keeps its state, with --data-dir DIR, or that it keeps none, " +
			"with --ephemeral")}
	}
	store, err := bundle.NewStore(filepath.Join(dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		clean()
		return nil, fmt.Errorf("controller: %w", err)
	}
	config.Bundles = peers.New(network.TCP{}, store).Bundles(nil)
	return clean, nil
}

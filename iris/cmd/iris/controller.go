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
	"iris/iris/state"
)

// controllerDaemon is `iris controller`: one controller in the foreground.
type controllerDaemon struct {
	streams
	log            logFlags
	listen         string
	cluster        string
	dataDir        string
	ephemeral      bool
	workerTimeout  time.Duration
	noWorkerGrace  time.Duration
	dispatchRounds int
	dispatchPause  time.Duration
}

func newController(s streams) *cobra.Command {
	d := &controllerDaemon{streams: s}
	command := &cobra.Command{
		Use:   "controller",
		Short: "Run a controller in the foreground",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	flags := command.Flags()
	d.log.add(flags)
	flags.StringVar(&d.listen, "listen", "127.0.0.1:7070", "the address it serves clients and workers at")
	flags.StringVar(&d.cluster, "cluster", "iris", "the name of the cluster")
	flags.StringVar(&d.dataDir, "data-dir", "", "where it keeps its state")
	flags.BoolVar(&d.ephemeral, "ephemeral", false, "keep the state in memory: it is gone when the controller ends")
	flags.DurationVar(&d.workerTimeout, "worker-timeout", time.Minute, "a worker that is silent for so long is lost")
	flags.DurationVar(&d.noWorkerGrace, "no-worker-grace", 10*time.Minute,
		"how long a task that lost its worker waits for one that could run it")
	flags.IntVar(&d.dispatchRounds, "dispatch-rounds", 5, "how often every worker is tried before a task fails")
	flags.DurationVar(&d.dispatchPause, "dispatch-pause", 10*time.Second, "the pause after the first round; it doubles with each")
	return command
}

func (d *controllerDaemon) run(ctx context.Context) error {
	log, err := d.log.logger(d.err)
	if err != nil {
		return err
	}
	config := controller.Config{
		Cluster: d.cluster, Address: d.listen, WorkerTimeout: d.workerTimeout, Log: log,
		Policy: state.Policy{NoWorkerGrace: d.noWorkerGrace, DispatchRounds: d.dispatchRounds, DispatchPause: d.dispatchPause},
	}
	clean, err := d.store(&config)
	if err != nil {
		return err
	}
	defer clean()
	c, err := controller.Start(config)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "iris controller serves at %s\n", c.Address())
	<-ctx.Done()
	log.Info("stopping")
	return c.Stop()
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
		return nil, usageError{errors.New("a controller needs --data-dir DIR to keep its state in, or --ephemeral to keep it in memory")}
	}
	store, err := bundle.NewStore(filepath.Join(dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		clean()
		return nil, err
	}
	config.Bundles = peers.New(network.TCP{}, store).Bundles(nil)
	return clean, nil
}

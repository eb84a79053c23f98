package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"iris/iris/bundle"
	"iris/iris/runtime"
	"iris/iris/state"
	"iris/iris/worker"
)

// workerDaemon is `iris worker`: one worker in the foreground.
type workerDaemon struct {
	streams
	log               logFlags
	cluster           string
	controller        string
	id                string
	listen            string
	cpu               float64
	memory            string
	attributes        map[string]string
	dataDir           string
	heartbeatInterval time.Duration
	pollInterval      time.Duration
	killGrace         time.Duration
}

func newWorker(s streams) *cobra.Command {
	d := &workerDaemon{streams: s}
	command := &cobra.Command{
		Use:   "worker",
		Short: "Run a worker in the foreground",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	host, _ := os.Hostname() // without one, --id must be given
	flags := command.Flags()
	d.log.add(flags)
	flags.StringVar(&d.cluster, "cluster", "iris", "the name of the cluster")
	flags.StringVar(&d.controller, "controller", "127.0.0.1:7070", "the address of the controller")
	flags.StringVar(&d.id, "id", host, "the worker's name, unique in its cluster and kept over restarts")
	flags.StringVar(&d.listen, "listen", "127.0.0.1:0", "the address the controller reaches it at")
	flags.Float64Var(&d.cpu, "cpu", 4, "the cores it offers")
	flags.StringVar(&d.memory, "memory", "16GiB", "the memory it offers")
	flags.StringToStringVar(&d.attributes, "attribute", nil, "what constraints and gangs see of it, key=value")
	flags.StringVar(&d.dataDir, "data-dir", "", "where it keeps workspaces and the tasks' directories (default: a temporary one)")
	flags.DurationVar(&d.heartbeatInterval, "heartbeat-interval", 10*time.Second, "the time between two heartbeats")
	flags.DurationVar(&d.pollInterval, "poll-interval", 5*time.Second, "the time between two looks at a running attempt")
	flags.DurationVar(&d.killGrace, "kill-grace", 5*time.Second, "how long a process may take to end after SIGTERM")
	return command
}

const cacheBytes = 10 << 30 // of downloaded workspaces

func (d *workerDaemon) run(ctx context.Context) (err error) {
	log, err := d.log.logger(d.err)
	if err != nil {
		return err
	}
	memory, err := humanize.ParseBytes(d.memory)
	if err != nil {
		return usageError{fmt.Errorf("flag --memory: %q is not a size such as 16GiB", d.memory)}
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
		return err
	}
	processes := runtime.NewProcess()
	defer func() { err = errors.Join(err, processes.Close()) }()
	w, err := worker.Start(worker.Config{
		Cluster: d.cluster, ID: d.id, Controller: d.controller, Address: d.listen,
		Capacity:   state.Resources{CPUMillis: state.Millis(d.cpu), MemoryBytes: int64(memory)},
		Attributes: d.attributes, Processes: processes,
		WorkDir: filepath.Join(dir, "tasks"), Bundles: cache,
		HeartbeatInterval: d.heartbeatInterval, PollInterval: d.pollInterval, KillGrace: d.killGrace, Log: log,
	})
	if err != nil {
		return err
	}
	select {
	case <-w.Registered():
		fmt.Fprintf(d.out, "iris worker %s serves at %s\n", d.id, w.Address())
		<-ctx.Done()
	case <-ctx.Done():
	}
	log.Info("stopping")
	return w.Stop()
}

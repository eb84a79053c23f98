package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/faults"
	"iris/iris/settings"
	"iris/iris/state"
	"iris/iris/view"
)

func newCluster(a *app) *cobra.Command {
	return newGroup("cluster", "Run a whole cluster, or operate one",
		newClusterStart(a), newMembers(a), newClusterGroups(a), newClusterEvents(a), newClusterVM(a), newClusterCheck(a))
}

// local describes the cluster that --local starts: the same as examples/demo.yaml.
//
//go:embed local.yaml
var local []byte

// clusterStart is `iris cluster start`: a controller and its workers in one process, in the foreground.
type clusterStart struct {
	*app
	log     logFlags
	local   bool
	file    string
	listen  string
	dataDir string
	chaos   chaosFlag
}

func newClusterStart(a *app) *cobra.Command {
	v := &clusterStart{app: a, log: logFlags{"warn", "text"}}
	c := &cobra.Command{
		Use:   "start {--local | -f FILE}",
		Short: "Run a controller and workers in this process, in the foreground",
		Long: `Run a controller and workers in this process until SIGTERM or SIGINT; what they run ends with them.

--local is for trying things out: two workers of 4 CPU and 16 GiB, or those of FILE; attempts are looked at ten times a second,
and what is hopeless fails after 20 s and one round of dispatches, not after minutes; and it can be broken with ` + "`iris chaos`.",
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return v.run(c) },
	}
	flags := c.Flags()
	v.log.add(flags)
	settings.Var(flags, &v.local, "local", "a cluster to try things out on", settings.Bool())
	settings.Var(flags, &v.file, "file,f", "the description of the cluster", settings.Text("file"))
	settings.Var(flags, &v.listen, "listen", "the address the controller serves at; unset, that of the description, or "+
		defaultController, settings.Address())
	settings.Var(flags, &v.dataDir, "data-dir", "where it keeps its state; unset, it keeps none",
		settings.Text("directory"))
	v.chaos.add(flags)
	return c
}

// readyLimit bounds how long the workers may take to register, which is a matter of milliseconds.
const readyLimit = 30 * time.Second

func (v *clusterStart) run(c *cobra.Command) (err error) {
	description, err := v.description(c)
	if err != nil {
		return err
	}
	v.chaos.on = v.chaos.on || v.local
	log := v.log.logger(v.err)
	broken, err := v.chaos.arm(faults.Config{Cluster: description.Name, Names: processNames(description), Log: log}, "cluster")
	if err != nil {
		return err
	}
	ctx := c.Context()
	m, err := cluster.Start(description, cluster.Options{
		Dir: v.dataDir, Durable: v.dataDir != "", Services: []func(grpc.ServiceRegistrar){broken}, Log: log,
	})
	if err != nil {
		return listening(err)
	}
	defer v.chaos.log(description.Name, log)()
	defer func() { err = errors.Join(err, m.Stop()) }()
	ready, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := m.Ready(ready); err != nil {
		if ctx.Err() != nil {
			return nil // it was stopped before it was ready
		}
		return err
	}
	if err := v.welcome(ctx, m); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(v.err, "iris: stopping the cluster and what it runs")
	return nil
}

// processNames are what the one process of a cluster is called as a target of chaos: all its participants are in it.
func processNames(description config.Cluster) []string {
	names := []string{firstController, "controller"}
	for _, on := range description.FixedMachines() {
		names = append(names, on.Worker)
	}
	return names
}

func (v *clusterStart) description(c *cobra.Command) (config.Cluster, error) {
	if !v.local && v.file == "" {
		return config.Cluster{}, usage(c, "`%s` wants --local, for a cluster to try things out on, or --file with a description",
			c.CommandPath())
	}
	description, err := config.Parse("local.yaml", local)
	if v.file != "" {
		description, err = config.Load(v.file)
	}
	if err != nil {
		return config.Cluster{}, usageError{err}
	}
	address := description.Controller.Address
	if v.local {
		description = cluster.MakeLocalConfig(description)
	}
	switch {
	case v.listen != "":
		address = v.listen
	case address == "":
		address = defaultController
	}
	description.Controller.Address = address
	return description, nil
}

// welcome says that the cluster is ready, and what to type next.
func (v *clusterStart) welcome(ctx context.Context, m *cluster.Manager) error {
	client, err := m.Connect()
	if err != nil {
		return err
	}
	defer client.Close()
	workers, err := client.Workers(ctx)
	if err != nil {
		return err
	}
	var all state.Resources
	for _, w := range workers {
		all = all.Add(state.ResourcesOf(w.Capacity))
	}
	fleet, err := client.Fleet(ctx)
	if err != nil {
		return err
	}
	t, more := v.terminal(v.out), ""
	if n := len(fleet.Groups); n > 0 {
		more = fmt.Sprintf(" More come with the work, from %s (iris cluster groups).", state.CountText(n, "scale group"))
	}
	fmt.Fprintln(v.out, view.Paragraph(t, "", fmt.Sprintf("iris cluster %s serves at %s: %s, %v in all.%s Ctrl-C ends it.",
		m.Name, m.Address(), state.CountText(len(workers), "worker"), all, more)))
	fmt.Fprintln(v.out)
	for _, line := range tryThis(m.Address()) {
		if command, _, _ := strings.Cut(line, "   #"); t.Width > 0 && len(line)+2 > t.Width {
			line = strings.TrimSpace(command) // without the comment, to be copied as it is
		}
		fmt.Fprintf(v.out, "  %s\n", line)
	}
	return nil
}

// tryThis is what to type in another terminal: run something, look, break something.
func tryThis(address string) []string {
	where := ""
	if address != defaultController {
		where = " --controller " + address
	}
	return []string{
		"iris job run" + where + " -- echo hello                          # run a job",
		"iris top" + where + "                                            # see the cluster; q ends it",
		"iris chaos enable" + where + " 'worker.create_container max 1'   # break something: the next attempt fails",
	}
}

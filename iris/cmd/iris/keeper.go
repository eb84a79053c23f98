package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"iris/iris/keeper"
	"iris/iris/settings"
)

// keeperDaemon is `iris keeper`: the process beside a worker that runs its commands, so that they survive it. Workers start
// it; nobody else needs to.
type keeperDaemon struct {
	*app
	log    logFlags
	config keeper.Config
}

func newKeeper(a *app) *cobra.Command {
	d := &keeperDaemon{app: a, log: logFlags{"info", "text"}, config: keeper.Config{Idle: time.Minute, Orphaned: 15 * time.Minute}}
	c := &cobra.Command{
		Use:    "keeper",
		Short:  "Run a worker's commands, so that they survive it",
		Long:   "Run a worker's commands, so that they survive it. Workers start their keeper themselves.",
		Hidden: true,
		Args:   arguments(0, 0, ""),
	}
	flags := c.Flags()
	d.log.add(flags)
	settings.Var(flags, &d.config.Dir, "dir", "the keeper's own folder", settings.Text("directory"))
	settings.Var(flags, &d.config.Idle, "idle", "how long it waits for a worker when it holds nothing",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &d.config.Orphaned, "orphaned", "how long it goes on without a worker when it holds something",
		settings.Duration(time.Millisecond))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if d.config.Dir == "" {
			return usage(c, "`%s` wants --dir", c.CommandPath())
		}
		return d.run(c.Context())
	}
	return c
}

func (d *keeperDaemon) run(ctx context.Context) error {
	d.config.Log = d.log.logger(d.err)
	return keeper.Main(ctx, d.config)
}

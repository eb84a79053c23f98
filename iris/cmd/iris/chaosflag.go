package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"iris/iris/faults"
	"iris/iris/settings"
)

// chaosFlag says whether a daemon lets itself be broken from outside.
type chaosFlag struct{ on bool }

func (f *chaosFlag) add(flags *pflag.FlagSet) {
	const usage = "let administrators inject faults (see iris chaos), and IRIS_CHAOS at the start; not for work that counts"
	flag := settings.Var(flags, &f.on, "chaos", usage, settings.Bool())
	settings.NoVariable(flag) // IRIS_CHAOS has the rules
}

// arm arms what IRIS_CHAOS says; call it before anything starts. It returns the service for the daemon's server.
func (f *chaosFlag) arm(config faults.Config, what string) (func(grpc.ServiceRegistrar), error) {
	rules, err := faults.FromEnvironment(config.Cluster, f.on)
	if err != nil {
		return nil, usageError{err}
	}
	for _, rule := range rules {
		config.Log.Info("chaos rule armed", "id", rule.ID(), "rule", rule.String())
	}
	if !f.on {
		return func(server grpc.ServiceRegistrar) { faults.Disabled(server, what) }, nil
	}
	return func(server grpc.ServiceRegistrar) { faults.Register(server, config) }, nil
}

// log writes a line for each fault until the returned function is called.
func (f *chaosFlag) log(cluster string, log *slog.Logger) (stop func()) {
	if !f.on {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var logging sync.WaitGroup
	logging.Go(func() { faults.Log(ctx, cluster, log) })
	return func() {
		cancel()
		logging.Wait()
	}
}

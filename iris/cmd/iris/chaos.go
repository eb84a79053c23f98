package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"iris/iris/faults"
	"iris/iris/settings"
)

// chaosFlags let faults into a daemon.
type chaosFlags struct{ on bool }

func (f *chaosFlags) add(flags *pflag.FlagSet) {
	flag := settings.Var(flags, &f.on, "chaos", "", fmt.Sprintf("let faults be injected from outside; %s has rules for the start", faults.Variable),
		settings.Bool())
	settings.NoVariable(flag) // it has the rules
}

// service arms the rules of the environment and returns how the daemon serves chaos: a what, such as "worker", by its id.
// It comes before anything of the daemon runs.
func (f *chaosFlags) service(log *slog.Logger, cluster, what, id string) (func(grpc.ServiceRegistrar), error) {
	rules, err := faults.FromEnvironment(cluster, f.on)
	if err != nil {
		return nil, usageError{err}
	}
	for _, rule := range rules {
		log.Info("chaos rule armed", "id", rule.ID(), "rule", rule.String())
	}
	return func(s grpc.ServiceRegistrar) {
		if f.on {
			faults.Register(s, faults.Config{Cluster: cluster, Names: []string{id}, Log: log})
		} else {
			faults.Disabled(s, what)
		}
	}, nil
}

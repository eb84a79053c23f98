package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	"iris/iris/peers"
)

// store gives the controller its log and its bundles. When the controller has ended, close releases them.
func (d *controllerDaemon) store(config *controller.Config, toControllers []grpc.DialOption) (close func() error, err error) {
	dir, remove := d.dataDir, func() error { return nil }
	if d.ephemeral {
		if dir, err = os.MkdirTemp("", "iris-controller-"); err != nil {
			return nil, err
		}
		remove = func() error { return os.RemoveAll(dir) }
	}
	bundles, err := bundle.NewStore(filepath.Join(dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("controller %s: %w", d.id, err), remove())
	}
	others := peers.New(network.TCP{}, bundles, toControllers...)
	close = func() error { return errors.Join(others.Close(), remove()) }
	if d.ephemeral {
		config.Bundles = others.Bundles(nil)
		return close, nil
	}
	if err := d.keep(config, others); err != nil {
		return nil, errors.Join(err, close())
	}
	return close, nil
}

// keep opens the log in the data directory, which the controllers of a cluster replicate among them.
func (d *controllerDaemon) keep(config *controller.Config, others *peers.Peers) error {
	log, err := journal.OpenRaft(journal.RaftConfig{
		Dir: filepath.Join(d.dataDir, "journal"), ID: d.id, Address: d.address(), Bootstrap: len(d.join) == 0, Policy: d.policy,
		Streams: others, Cluster: d.cluster, Log: config.Log,
	})
	if err != nil {
		return fmt.Errorf("controller %s: %w", d.id, err)
	}
	voters, err := log.Voters()
	d.empty = err == nil && len(voters) == 0
	config.Journal, d.voters = log, log.Others
	config.Services = append(config.Services, others.Register)
	config.Bundles = others.Bundles(log.Others)
	return nil
}

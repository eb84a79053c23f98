package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"iris/iris/auth"
	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	"iris/iris/peers"
)

// store gives the controller its log and its bundles; clean removes what was only for this run.
func (d *controllerDaemon) store(config *controller.Config) (clean func(), err error) {
	dir, clean := d.dataDir, func() {}
	if d.ephemeral {
		if dir, err = os.MkdirTemp("", "iris-controller-"); err != nil {
			return nil, err
		}
		clean = func() { _ = os.RemoveAll(dir) } // a temporary directory: the system clears what is left
	}
	bundles, err := bundle.NewStore(filepath.Join(dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		clean()
		return nil, fmt.Errorf("controller: %w", err)
	}
	if d.ephemeral {
		config.Bundles = peers.New(network.TCP{}, bundles).Bundles(nil)
		return clean, nil
	}
	return clean, d.keep(config, bundles)
}

// keep opens the log in the data directory, which the controllers of a cluster replicate among them.
func (d *controllerDaemon) keep(config *controller.Config, bundles *bundle.Store) error {
	dialling, err := d.credentials.dial(config.Log, auth.Controller)
	if err != nil {
		return err
	}
	others := peers.New(network.TCP{}, bundles, dialling...)
	address := d.advertise
	if address == "" {
		address = d.listen
	}
	log, err := journal.OpenRaft(journal.RaftConfig{
		Dir: filepath.Join(d.dataDir, "journal"), ID: d.id, Address: address, Bootstrap: !d.join, Policy: d.policy,
		Streams: others, Cluster: d.cluster, Log: config.Log,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("controller %s: %w", d.id, err), others.Close())
	}
	config.Journal = log
	config.Services = append(config.Services, others.Register)
	config.Bundles = others.Bundles(func() []string {
		voters, err := log.Voters()
		if err != nil {
			config.Log.Warn("the other controllers are not known", "error", err)
		}
		var addresses []string
		for _, voter := range voters {
			if voter.ID != d.id {
				addresses = append(addresses, voter.Address)
			}
		}
		return addresses
	})
	return nil
}

package fakevm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/vm"
)

// Config is what New needs. The zero value of all but Group is usable: no delays, no failures, no end of machines.
type Config struct {
	Group     vm.GroupConfig
	BootDelay time.Duration // from creation to INITIALIZING; 0 means at the next tick
	InitDelay time.Duration // from the end of booting to READY; 0 means in the same tick

	// Failure is the mode to begin with.
	Failure FailureMode
	// LateBy is how long after its request the slice of a creation that hangs comes into being (CreateHangs). 0 means at
	// the next tick; for one that never comes, more than the test lasts.
	LateBy time.Duration
	// Quota is how many live slices each zone may have. A zone without an entry, or with a negative one, has no such bound.
	Quota map[string]int
	// Addresses are handed out to VMs when they have booted: always the first that no live VM has, so that soon a VM has the
	// address of one that is gone. Without, or when all are taken, a VM has the address {VM id}.invalid, never used before.
	Addresses []string

	// Machines is told what becomes of the VMs. May be nil.
	Machines Machines
}

// New makes a manager without slices. The error names every mistake in the config, each on its own line.
func New(cfg Config) (*Manager, error) {
	if err := errors.Join(cfg.Group.Validate(), cfg.validate()); err != nil {
		return nil, err
	}
	n, err := cfg.Group.VMCount()
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, vmsPerSlice: n, mode: cfg.Failure, quota: map[string]int{}, soldOut: map[string]bool{}}
	m.cfg.Group.Zones, m.cfg.Addresses = slices.Clone(cfg.Group.Zones), slices.Clone(cfg.Addresses)
	maps.Copy(m.quota, cfg.Quota)
	return m, nil
}

// validate is all mistakes but the group's, joined.
func (cfg Config) validate() error {
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"boot delay", cfg.BootDelay}, {"init delay", cfg.InitDelay}, {"late by", cfg.LateBy}} {
		if d.value < 0 {
			mistake("%s is %v; it must not be negative", d.name, d.value)
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(cfg.Quota)) {
		if !slices.Contains(cfg.Group.Zones, zone) {
			mistake("quota is for zone %q; the zones of the group are %q", zone, cfg.Group.Zones)
		}
	}
	for i, address := range cfg.Addresses {
		switch {
		case address == "":
			mistake("addresses[%d] is empty; name an address or remove it", i)
		case slices.Index(cfg.Addresses, address) < i:
			mistake("addresses[%d] repeats %q; remove it", i, address)
		}
	}
	return errors.Join(mistakes...)
}

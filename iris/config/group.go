package config

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/state"
	"iris/iris/vm"
)

// Group is a scale group: machines of one kind, which come and go in slices.
type Group struct {
	Name         string   `yaml:"name"`
	Platform     Platform `yaml:"platform"` // where the machines come from; default fixed
	Variant      string   `yaml:"variant"`  // accelerator, such as v4-8; empty: CPU only
	CPU          float64  `yaml:"cpu"`      // cores of each machine
	Memory       Bytes    `yaml:"memory"`   // of each machine
	MinSlices    int      `yaml:"min_slices"`
	MaxSlices    int      `yaml:"max_slices"`
	BufferSlices int      `yaml:"buffer_slices"` // READY and idle ones kept for what may come, within max_slices
	VMsPerSlice  int      `yaml:"vms_per_slice"` // 0: by the variant
	// Closed groups get no more slices, and those there are go when they are idle. So a group is emptied before it is removed:
	// of one that is not in the file any more, nobody knows the platform.
	Closed   bool     `yaml:"closed"`
	Zones    []string `yaml:"zones"`
	Priority int      `yaml:"priority"` // groups of a lower one are asked first; default 100
	After    []string `yaml:"after"`    // groups that are asked before this one, whatever the priorities say
	// Attributes are those of each worker, besides the ones that Iris sets.
	Attributes map[string]string `yaml:"attributes"`
	Pace       Pace              `yaml:"pace"` // where it differs from that of all groups
	// BootDelay and InitDelay are how long a machine takes to boot, and then until it is READY, where it is only played in one
	// process. Of platform local. Default 0.
	BootDelay time.Duration `yaml:"boot_delay"`
	InitDelay time.Duration `yaml:"init_delay"`
	SSH       *SSH          `yaml:"ssh"` // of platform ssh
	// WorkerFlags are added to the command line of each worker that the controller starts, such as those of its credentials:
	// --token-file=/etc/iris/worker. Not of platform fixed.
	WorkerFlags []string `yaml:"worker_flags"`
}

// Platform is where a group's machines come from.
type Platform string

// The platforms.
const (
	// Fixed machines are there from the start and never replaced. So are those of a group that names no platform.
	Fixed Platform = "fixed"
	// Local ones are processes on the controller's machine, or played by the controller's process.
	Local Platform = "local"
	// OverSSH ones are from a pool of hosts, on which workers are started over SSH.
	OverSSH Platform = "ssh"
)

// SSH is a pool of hosts, and how to reach them. Paths are of the controller's machine, but for Iris.
type SSH struct {
	User       string `yaml:"user"`        // to log in as
	Key        string `yaml:"key"`         // file of the private key to log in with
	KnownHosts string `yaml:"known_hosts"` // file of the keys that hosts are known by; others are refused
	Hosts      []Host `yaml:"hosts"`
	Iris       string `yaml:"iris"`       // the command on the hosts; default /usr/local/bin/iris
	Controller string `yaml:"controller"` // addresses of controllers, as hosts reach them; empty: those they serve at
}

// Host is one of a pool.
type Host struct {
	Address string `yaml:"address"` // of its SSH server: host:port
	Zone    string `yaml:"zone"`    // one of the group's; may be empty if it has but one
	Dir     string `yaml:"dir"`     // where workers, and all that is theirs, are kept on it; default .iris in the user's home
}

// Scales reports whether the group's slices come and go.
func (g Group) Scales() bool { return g.Platform != Fixed && g.Platform != "" }

// VM is the part of a group that the machines' manager needs.
func (g Group) VM() vm.GroupConfig {
	return vm.GroupConfig{
		Name: g.Name, AcceleratorVariant: g.Variant, MinSlices: g.MinSlices, MaxSlices: g.MaxSlices, BufferSlices: g.BufferSlices,
		Zones: slices.Clone(g.Zones), VMsPerSlice: g.VMsPerSlice,
	}
}

// Capacity is what each machine offers.
func (g Group) Capacity() state.Resources {
	return state.Resources{CPUMillis: state.Millis(g.CPU), MemoryBytes: int64(g.Memory)}
}

// Hosts are those of the group's pool, each with its zone.
func (g Group) Hosts() []Host {
	if g.SSH == nil {
		return nil
	}
	hosts := slices.Clone(g.SSH.Hosts)
	for i := range hosts {
		if hosts[i].Zone == "" && len(g.Zones) == 1 {
			hosts[i].Zone = g.Zones[0]
		}
	}
	return hosts
}

// ScaleGroups are the groups that scale, in the order in which they are asked, with all defaults filled in. The description
// must be valid.
func (c Cluster) ScaleGroups() []state.Group {
	var all []state.Group
	order, _ := ranks(c.Groups)
	for rank, i := range order {
		g := c.Groups[i]
		if g.Closed {
			g.MinSlices, g.MaxSlices, g.BufferSlices = 0, 0, 0
		}
		vms, _ := g.VM().VMCount() // known of a valid group
		all = append(all, state.Group{
			GroupConfig: g.VM(), VMs: vms, Capacity: g.Capacity(), Attributes: maps.Clone(g.Attributes), Rank: rank, Pace: c.pace(g),
		})
	}
	return all
}

// Group is the group of this name, which there must be.
func (c Cluster) Group(name string) Group {
	return c.Groups[slices.IndexFunc(c.Groups, func(g Group) bool { return g.Name == name })]
}

// Machine is one that is there from the start, with its worker.
type Machine struct {
	Group      Group
	Worker     string            // its id: w-0, w-1 and so on through all groups
	Attributes map[string]string // of the worker
}

// FixedMachines are those of the groups that do not scale. The description must be valid.
func (c Cluster) FixedMachines() []Machine {
	var all []Machine
	for _, g := range c.Groups {
		if g.Scales() {
			continue
		}
		vms, _ := g.VM().VMCount() // known of a valid group
		kind := state.Group{GroupConfig: g.VM(), Attributes: g.Attributes}
		for slice := range g.MinSlices {
			for i := range vms {
				all = append(all, Machine{
					Group: g, Worker: fmt.Sprintf("w-%d", len(all)),
					Attributes: kind.Worker(fmt.Sprintf("%s-%d", g.Name, slice), g.Zones[0], i),
				})
			}
		}
	}
	return all
}

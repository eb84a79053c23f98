// Package config reads the description of a cluster from YAML.
//
// Unknown and misspelt keys, wrong types and wrong values are refused, every mistake at once, each with its place.
package config

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"

	"iris/iris/vm"
)

// Cluster describes a cluster. Zero values take the defaults of the packages they are for.
type Cluster struct {
	Name       string     `yaml:"name"`
	Controller Controller `yaml:"controller"`
	Worker     Worker     `yaml:"worker"`
	Groups     []Group    `yaml:"groups"`
}

// Controller are the controller's settings (see package controller).
type Controller struct {
	Address        string        `yaml:"address"` // empty: a free port on loopback
	WorkerTimeout  time.Duration `yaml:"worker_timeout"`
	NoWorkerGrace  time.Duration `yaml:"no_worker_grace"`
	DispatchRounds int           `yaml:"dispatch_rounds"`
	DispatchPause  time.Duration `yaml:"dispatch_pause"`
}

// Worker are the settings all workers share (see package worker).
type Worker struct {
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	PollInterval      time.Duration `yaml:"poll_interval"`
	KillGrace         time.Duration `yaml:"kill_grace"`
}

// Group is a scale group: machines of one kind, bought and given back in slices.
type Group struct {
	Name        string            `yaml:"name"`
	Variant     string            `yaml:"variant"` // accelerator, such as v4-8; empty: CPU only
	CPU         float64           `yaml:"cpu"`     // cores of each machine
	Memory      Bytes             `yaml:"memory"`  // of each machine
	MinSlices   int               `yaml:"min_slices"`
	MaxSlices   int               `yaml:"max_slices"`
	VMsPerSlice int               `yaml:"vms_per_slice"` // 0: by the variant
	Zones       []string          `yaml:"zones"`
	Attributes  map[string]string `yaml:"attributes"` // of each worker
}

// VM is the part of a group that the machines' manager needs.
func (g Group) VM() vm.GroupConfig {
	return vm.GroupConfig{
		Name: g.Name, AcceleratorVariant: g.Variant, MinSlices: g.MinSlices, MaxSlices: g.MaxSlices,
		Zones: g.Zones, VMsPerSlice: g.VMsPerSlice,
	}
}

// Bytes is a size, written "16GiB" (binary) or "16GB" (decimal).
type Bytes int64

// UnmarshalYAML reads "16GiB", "16GB" or a number of bytes.
func (b *Bytes) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return fmt.Errorf("%q is not a size such as 16GiB", s)
	}
	*b = Bytes(n)
	return nil
}

// Load reads and checks a file. The error shows the offending lines.
func Load(path string) (Cluster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Cluster{}, fmt.Errorf("read the cluster's description: %w", err)
	}
	var c Cluster
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return Cluster{}, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if err := c.Validate(); err != nil {
		return Cluster{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Validate returns every mistake at once.
func (c Cluster) Validate() error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if c.Name == "" {
		fail("name is empty; give the cluster one")
	}
	durations := []struct {
		key   string
		value time.Duration
	}{
		{"controller.worker_timeout", c.Controller.WorkerTimeout},
		{"controller.no_worker_grace", c.Controller.NoWorkerGrace},
		{"controller.dispatch_pause", c.Controller.DispatchPause},
		{"worker.heartbeat_interval", c.Worker.HeartbeatInterval},
		{"worker.poll_interval", c.Worker.PollInterval},
		{"worker.kill_grace", c.Worker.KillGrace},
	}
	for _, d := range durations {
		if d.value < 0 {
			fail("%s is %v; it cannot be negative", d.key, d.value)
		}
	}
	if c.Controller.DispatchRounds < 0 {
		fail("controller.dispatch_rounds is %d; it cannot be negative", c.Controller.DispatchRounds)
	}
	if timeout, beat := c.Controller.WorkerTimeout, c.Worker.HeartbeatInterval; timeout > 0 && beat > 0 && timeout < 2*beat {
		fail("controller.worker_timeout %v leaves no room for a lost heartbeat (worker.heartbeat_interval %v); make it at least twice as long",
			timeout, beat)
	}
	seen := map[string]bool{}
	for i, g := range c.Groups {
		if err := g.VM().Validate(); err != nil {
			fail("groups[%d]: %w", i, err)
		}
		if g.CPU <= 0 || g.Memory <= 0 {
			fail("groups[%d] %s: cpu %v and memory %d must be positive", i, g.Name, g.CPU, g.Memory)
		}
		if seen[g.Name] {
			fail("groups[%d]: a second group is called %s", i, g.Name)
		}
		seen[g.Name] = true
	}
	return errors.Join(wrong...)
}

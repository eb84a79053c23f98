// Package config reads the description of a cluster from YAML.
//
// Unknown and misspelt keys and wrong types are refused, the first of them with its place; wrong values are refused all at
// once, each with its line.
package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

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
	Retention      Retention     `yaml:"retention"`
}

// Retention says what a controller keeps of the past. Negative values are no limit.
type Retention struct {
	Jobs      int           `yaml:"jobs"`       // how many of those that are over
	Age       time.Duration `yaml:"age"`        // of jobs, since they were over
	WorkerAge time.Duration `yaml:"worker_age"` // since they were lost
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
func (b *Bytes) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 {
		return &yaml.SyntaxError{Message: fmt.Sprintf("%q is not a size such as 16GiB", text), Token: node.GetToken()}
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
	return Parse(path, text)
}

// Parse checks the text of a file; the path is for its errors.
func Parse(path string, text []byte) (Cluster, error) {
	var c Cluster
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return Cluster{}, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Cluster{}, fmt.Errorf("%s: %w", path, err)
	}
	wrong := append(c.mistakes(), untold(c, file)...)
	errs := make([]error, len(wrong))
	for i, m := range wrong {
		errs[i] = fmt.Errorf("%s:%d: %s", path, lineOf(file, m.at), m.text)
	}
	if err := errors.Join(errs...); err != nil {
		return Cluster{}, err
	}
	return c, nil
}

// untold are the mistakes that YAML's types let pass: a fraction where a whole number is meant, and what follows the
// first document.
func untold(c Cluster, file *ast.File) []mistake {
	whole := []string{"controller.dispatch_rounds", "controller.retention.jobs"}
	for i := range c.Groups {
		for _, key := range []string{"min_slices", "max_slices", "vms_per_slice"} {
			whole = append(whole, fmt.Sprintf("groups[%d].%s", i, key))
		}
	}
	var wrong []mistake
	for _, at := range whole {
		if node := nodeAt(file, at); node != nil && node.Type() != ast.IntegerType {
			wrong = append(wrong, mistake{at, fmt.Sprintf("%s is %v; it must be a whole number", at, node)})
		}
	}
	if len(file.Docs) > 1 {
		wrong = append(wrong, mistake{"", "the file has more than one document; a file describes one cluster"})
	}
	return wrong
}

// nodeAt is the value at a place, or nil.
func nodeAt(file *ast.File, at string) ast.Node {
	path, err := yaml.PathString("$." + at)
	if err != nil {
		return nil
	}
	node, err := path.FilterFile(file)
	if err != nil {
		return nil
	}
	return node
}

// lineOf is the line of a place in the file; 1 for what is missing.
func lineOf(file *ast.File, at string) int {
	if node := nodeAt(file, at); node != nil {
		return node.GetToken().Position.Line
	}
	return 1
}

// mistake is a wrong value.
type mistake struct {
	at   string // its place: "worker.poll_interval", "groups[1].name"
	text string
}

// Validate returns every mistake at once.
func (c Cluster) Validate() error {
	var errs []error
	for _, m := range c.mistakes() {
		errs = append(errs, errors.New(m.text))
	}
	return errors.Join(errs...)
}

// clusterName is what can stand in a label and in a file's name.
var clusterName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// maxCPU is the most cores that a machine may have.
const maxCPU = 100_000

func (c Cluster) mistakes() []mistake {
	var wrong []mistake
	fail := func(at, format string, args ...any) {
		wrong = append(wrong, mistake{at, fmt.Sprintf(format, args...)})
	}
	if !clusterName.MatchString(c.Name) {
		fail("name", "name is %q; it must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit", c.Name)
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
			fail(d.key, "%s is %v; it cannot be negative", d.key, d.value)
		}
	}
	if c.Controller.DispatchRounds < 0 {
		fail("controller.dispatch_rounds", "controller.dispatch_rounds is %d; it cannot be negative", c.Controller.DispatchRounds)
	}
	if age := c.Controller.Retention.Age; age > 0 && age < minAge {
		fail("controller.retention.age", "controller.retention.age is %v; jobs are kept for %v in any case, so that their "+
			"clients hear how they ended: make it at least as long, or negative for ever", age, minAge)
	}
	timeout, beat := orDefault(c.Controller.WorkerTimeout, workerTimeout), orDefault(c.Worker.HeartbeatInterval, heartbeatInterval)
	if timeout > 0 && beat > 0 && timeout < 2*beat {
		fail("controller.worker_timeout", "controller.worker_timeout %v leaves no room for a lost heartbeat "+
			"(worker.heartbeat_interval %v); make it at least twice as long", timeout, beat)
	}
	seen := map[string]bool{}
	for i, g := range c.Groups {
		at := fmt.Sprintf("groups[%d]", i)
		if err := g.VM().Validate(); err != nil {
			fail(at, "%s: %v", at, err)
		}
		if !(g.CPU > 0 && g.CPU <= maxCPU) { // also NaN
			fail(at+".cpu", "%s %s: cpu is %v; it must be positive, and at most %d", at, g.Name, g.CPU, maxCPU)
		}
		if g.Memory <= 0 {
			fail(at+".memory", "%s %s: memory is %d bytes; it must be positive", at, g.Name, g.Memory)
		}
		if seen[g.Name] {
			fail(at+".name", "%s: a second group is called %s", at, g.Name)
		}
		seen[g.Name] = true
	}
	return wrong
}

// What an unset duration stands for, where one is held against the other (see packages controller and worker).
const (
	workerTimeout     = time.Minute
	heartbeatInterval = 10 * time.Second
)

// minAge is how long a job is kept in any case (see package state).
const minAge = time.Minute

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

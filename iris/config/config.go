// Package config reads the description of a cluster from YAML.
//
// What a file says wrong is refused all at once, each mistake with its line: keys that there are not, keys twice, values of a
// wrong type, and values that cannot be. Only a file that is no YAML is refused with the first mistake alone.
package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Cluster describes a cluster. Zero values take the defaults of the packages they are for.
type Cluster struct {
	Name       string     `yaml:"name"`
	Controller Controller `yaml:"controller"`
	Worker     Worker     `yaml:"worker"`
	Autoscaler Autoscaler `yaml:"autoscaler"`
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

// Load reads and checks a file. The error has a line for each mistake, which begins with its place, as in cluster.yaml:12.
func Load(path string) (Cluster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Cluster{}, fmt.Errorf("read the cluster's description: %w", err)
	}
	return Parse(path, text)
}

// Parse checks the text of a file; the path is for its errors.
func Parse(path string, text []byte) (Cluster, error) {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return Cluster{}, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	var c Cluster
	r := newReader()
	r.read(file, &c)
	wrong := r.wrong
	for _, m := range c.mistakes() {
		if !r.unread(m.at) {
			wrong = append(wrong, m)
		}
	}
	slices.SortStableFunc(wrong, func(a, b mistake) int { return r.line(a) - r.line(b) })
	var errs []error
	for _, m := range wrong {
		errs = append(errs, fmt.Errorf("%s:%d: %s", path, r.line(m), m.text))
	}
	if err := errors.Join(errs...); err != nil {
		return Cluster{}, err
	}
	return c, nil
}

package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Latency are the buckets of what takes milliseconds to seconds, Wait of what may take hours; in seconds.
var (
	Latency = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	Wait    = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 1800, 7200}
)

// NewRegistry is a registry that has what is measured of every process: the Go runtime, the process itself, how it was
// built, and the faults that chaos injects into it.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(), faults{},
	)
	return r
}

// Set is several collectors as one: they are registered, and unregistered, together.
type Set []prometheus.Collector

// Describe describes all of them.
func (s Set) Describe(to chan<- *prometheus.Desc) {
	for _, c := range s {
		c.Describe(to)
	}
}

// Collect collects all of them.
func (s Set) Collect(to chan<- prometheus.Metric) {
	for _, c := range s {
		c.Collect(to)
	}
}

package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"iris/chaos"
)

var (
	faultsFired = prometheus.NewDesc("iris_chaos_firings_total", "Faults injected at each chaos site since the process began.",
		[]string{"site"}, nil)
	faultsArmed = prometheus.NewDesc("iris_chaos_armed", "1 while a rule is armed at the chaos site: faults may be injected.",
		[]string{"site"}, nil)
)

// faults collects what chaos has done in this process.
type faults struct{}

func (faults) Describe(to chan<- *prometheus.Desc) { to <- faultsFired; to <- faultsArmed }

func (faults) Collect(to chan<- prometheus.Metric) {
	for _, site := range chaos.Sites() {
		armed := 0.0
		if site.Armed() {
			armed = 1
		}
		to <- prometheus.MustNewConstMetric(faultsFired, prometheus.CounterValue, float64(site.Fired()), site.Name())
		to <- prometheus.MustNewConstMetric(faultsArmed, prometheus.GaugeValue, armed, site.Name())
	}
}

package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/telemetry"
)

// metrics are what is measured of a worker while it works; what it is like at a moment is gauges. Nil measures nothing.
type metrics struct {
	telemetry.Set
	start         prometheus.Histogram
	ended         map[pb.TaskState]prometheus.Counter
	beats         *prometheus.CounterVec
	reports       *prometheus.CounterVec
	registrations prometheus.Counter
}

// What becomes of a call to the controller: it was answered, or not, or chaos lost it before it was made.
const (
	wasAnswered = "answered"
	wasFailed   = "failed"
	wasLost     = "lost"
)

func newMetrics() *metrics {
	ended := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_worker_attempts_ended_total",
		Help: "Attempts that this worker began and that ended, by how."}, []string{"state"})
	m := &metrics{
		start: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_worker_start_seconds",
			Help: "From the order to run an attempt until it runs: workspace, ports, process.", Buckets: telemetry.Wait}),
		beats: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_worker_heartbeats_total",
			Help: "Heartbeats, by what became of them."}, []string{"result"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_worker_reports_total",
			Help: "Reports of attempts that changed, by what became of them. What is lost a heartbeat brings."}, []string{"result"}),
		registrations: prometheus.NewCounter(prometheus.CounterOpts{Name: "iris_worker_registrations_total",
			Help: "How often a controller took this worker."}),
		ended: map[pb.TaskState]prometheus.Counter{},
	}
	for _, s := range []state.State{state.Succeeded, state.Failed, state.Killed} {
		m.ended[pb.TaskState(s)] = ended.WithLabelValues(s.String())
	}
	for _, result := range []string{wasAnswered, wasFailed, wasLost} {
		m.beats.WithLabelValues(result)
		m.reports.WithLabelValues(result)
	}
	m.Set = telemetry.Set{m.start, ended, m.beats, m.reports, m.registrations}
	return m
}

func (m *metrics) started(ordered time.Time) {
	if m != nil {
		m.start.Observe(time.Since(ordered).Seconds())
	}
}

func (m *metrics) end(how pb.TaskState) {
	if m == nil {
		return
	}
	if counter := m.ended[how]; counter != nil {
		counter.Inc()
	}
}

// outcome is what became of a call that was made.
func outcome(err error) string {
	if err != nil {
		return wasFailed
	}
	return wasAnswered
}

func (m *metrics) beat(result string) {
	if m != nil {
		m.beats.WithLabelValues(result).Inc()
	}
}

func (m *metrics) report(result string, attempts int) {
	if m != nil {
		m.reports.WithLabelValues(result).Add(float64(attempts))
	}
}

func (m *metrics) registered() {
	if m != nil {
		m.registrations.Inc()
	}
}

// measure registers what is measured of this worker; unregister undoes it.
func (w *Worker) measure() (unregister func(), err error) {
	r := w.config.Metrics
	if r == nil {
		return func() {}, nil
	}
	w.metrics = newMetrics()
	all := append(telemetry.Set{gauges{w}}, w.metrics.Set...)
	if err := r.Register(all); err != nil {
		return nil, err
	}
	return func() { r.Unregister(all) }, nil
}

// gauges are what a worker is like when somebody asks.
type gauges struct{ w *Worker }

var (
	attemptsGauge = prometheus.NewDesc("iris_worker_attempts",
		"Attempts on this worker, by phase. ENDED are those whose end the controller has not acknowledged.", []string{"phase"}, nil)
	countedGauge = prometheus.NewDesc("iris_worker_registered",
		"1 while a controller counts on this worker: it is registered, its lease runs, and it does not drain.", nil, nil)
	drainingGauge = prometheus.NewDesc("iris_worker_draining", "1 while this worker drains: it waits for what it runs, and ends.", nil, nil)
)

// Describe says what there may be.
func (gauges) Describe(to chan<- *prometheus.Desc) {
	to <- attemptsGauge
	to <- countedGauge
	to <- drainingGauge
}

// Collect looks at the ledger.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	phases := g.w.ledger.phases()
	ended := 0
	for s, n := range phases {
		if finished(s) {
			ended += n
		}
	}
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, s := range []state.State{state.Assigned, state.Building, state.Running} {
		send(attemptsGauge, float64(phases[pb.TaskState(s)]), s.String())
	}
	send(attemptsGauge, float64(ended), "ENDED")
	send(countedGauge, truth(g.w.counted()))
	send(drainingGauge, truth(g.w.drain.on()))
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// phases counts the attempts in each.
func (l *ledger) phases() map[pb.TaskState]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	phases := map[pb.TaskState]int{}
	for _, a := range l.attempts {
		phases[a.phase.state]++
	}
	return phases
}

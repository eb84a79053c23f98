package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iris/iris/leader"
	"iris/iris/state"
	"iris/iris/telemetry"
)

// metrics are what is measured of a controller while it works; what it is like at a moment is gauges. Nil measures nothing.
type metrics struct {
	telemetry.Set
	scheduling prometheus.Histogram // tasks: from waiting to assigned
	planning   prometheus.Histogram // passes
	dispatch   prometheus.Histogram // attempts: from assigned to delivered
	delivered  prometheus.Counter   // tries
	failed     prometheus.Counter   // tries
	givenUp    prometheus.Counter   // attempts
	commit     prometheus.Histogram // entries: from proposed to committed
	commands   prometheus.Histogram // of each entry
	terms      prometheus.Counter
	attempts   map[state.State]prometheus.Counter // ended
	jobs       map[state.State]prometheus.Counter // ended
}

func newMetrics() *metrics {
	tries := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_dispatch_tries_total",
		Help: "Tries to deliver an attempt to its worker, by how they went."}, []string{"result"})
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_attempts_ended_total",
		Help: "Attempts that ended, by how, as decided by this controller while it led."}, []string{"state"})
	jobs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "iris_jobs_ended_total",
		Help: "Jobs that ended, by how, as decided by this controller while it led."}, []string{"state"})
	m := &metrics{
		scheduling: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_scheduling_seconds",
			Help: "From a task's submission, or the end of its last attempt, to its next attempt.", Buckets: telemetry.Wait}),
		planning: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_planning_seconds",
			Help: "How long one pass over the waiting tasks took.", Buckets: telemetry.Latency}),
		dispatch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_dispatch_seconds",
			Help: "From an attempt's assignment to its delivery to the worker, all tries included.", Buckets: telemetry.Latency}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_log_commit_seconds",
			Help: "From the proposal of an entry of the log until it was committed and acted upon.", Buckets: telemetry.Latency}),
		commands: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iris_log_entry_commands",
			Help: "Commands in each entry of the log.", Buckets: prometheus.ExponentialBuckets(1, 2, 12)}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{Name: "iris_dispatch_given_up_total",
			Help: "Attempts whose delivery was given up: their tasks go to another worker."}),
		terms: prometheus.NewCounter(prometheus.CounterOpts{Name: "iris_terms_total",
			Help: "How often this controller began to lead."}),
		delivered: tries.WithLabelValues("delivered"), failed: tries.WithLabelValues("failed"),
		attempts: map[state.State]prometheus.Counter{}, jobs: map[state.State]prometheus.Counter{},
	}
	for _, s := range state.States {
		if s.Terminal() && s.OfAttempt() {
			m.attempts[s] = attempts.WithLabelValues(s.String())
		}
		if s.Terminal() && s.OfJob() {
			m.jobs[s] = jobs.WithLabelValues(s.String())
		}
	}
	m.Set = telemetry.Set{m.scheduling, m.planning, m.dispatch, m.commit, m.commands, m.givenUp, m.terms, tries, attempts, jobs}
	return m
}

// ended counts what a step has ended.
func (m *metrics) ended(change state.Counts) {
	if m == nil {
		return
	}
	for s, counter := range m.attempts {
		if n := change.Attempts[s]; n > 0 {
			counter.Add(float64(n))
		}
	}
	for s, counter := range m.jobs {
		if n := change.Jobs[s]; n > 0 {
			counter.Add(float64(n))
		}
	}
}

// plan notes that a pass begins, and then that it has ended.
func (m *metrics) plan() (done func()) {
	if m == nil {
		return func() {}
	}
	began := time.Now()
	return func() { m.planning.Observe(time.Since(began).Seconds()) }
}

// assigned notes how long tasks waited that have an attempt now.
func (m *metrics) assigned(now time.Time, effects []state.Effect) {
	if m == nil {
		return
	}
	for _, e := range effects {
		if run, ok := e.(state.Run); ok {
			m.scheduling.Observe(now.Sub(run.Attempt.Waited()).Seconds())
		}
	}
}

// propose notes an entry. What it returns is for committed.
func (m *metrics) propose(commands int) (at time.Time) {
	if m == nil {
		return at
	}
	m.commands.Observe(float64(commands))
	return time.Now()
}

func (m *metrics) committed(proposed time.Time) {
	if m != nil {
		m.commit.Observe(time.Since(proposed).Seconds())
	}
}

// tried counts tries of attempts: delivered, or failed.
func (m *metrics) tried(delivered, failed int) {
	if m != nil {
		m.delivered.Add(float64(delivered))
		m.failed.Add(float64(failed))
	}
}

func (m *metrics) arrived(assigned time.Time) {
	if m != nil {
		m.dispatch.Observe(time.Since(assigned).Seconds())
	}
}

func (m *metrics) gaveUp() {
	if m != nil {
		m.givenUp.Inc()
	}
}

func (m *metrics) term() {
	if m != nil {
		m.terms.Inc()
	}
}

// measure registers what is measured of this controller; unregister undoes it.
func (c *Config) measure(s *seat) (unregister func(), err error) {
	r := c.Metrics
	if r == nil {
		return func() {}, nil
	}
	c.metrics = newMetrics()
	all := append(telemetry.Set{gauges{s}}, c.metrics.Set...)
	if err := r.Register(all); err != nil {
		return nil, err
	}
	return func() { r.Unregister(all) }, nil
}

// scrapeTimeout is how long the loop may take to tell what it is like. When it takes longer, that is left out.
const scrapeTimeout = 2 * time.Second

// gauges are what a controller is like when somebody asks.
type gauges struct{ seat *seat }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	leadsGauge = gauge("iris_leads", "1 while this controller leads. Gauges of jobs, tasks and workers are those of the leader alone.")
	inboxGauge = gauge("iris_inbox_requests", "Requests that wait for the leader's loop; it takes 4096, more wait to be taken.")
	openGauge  = gauge("iris_log_outstanding_entries", "Entries of the log that are proposed and not committed.")
	queueGauge = gauge("iris_queue_tasks", "Tasks that wait for a worker.")
	jobsGauge  = gauge("iris_jobs", "Jobs that are not forgotten, by state.", "state")
	tasksGauge = gauge("iris_tasks", "Tasks of jobs that are not forgotten, by state.", "state")
	fleetGauge = gauge("iris_workers", "Workers that are not forgotten: live, silent or draining (both get nothing new), lost.", "state")
	cpuGauge   = gauge("iris_cpu_cores", "Cores of the live workers, and what attempts have taken of them.", "kind")
	memGauge   = gauge("iris_memory_bytes", "Memory of the live workers, and what attempts have taken of it.", "kind")
	sliceGauge = gauge("iris_slices", "Slices of each scale group, by state.", "group", "state")
	pauseGauge = gauge("iris_group_closed", "1 while a scale group asks for no slices: its last ones failed (backoff), or no zone has quota or machines (quota).",
		"group", "why")
)

// Describe says what there may be.
func (gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{leadsGauge, inboxGauge, openGauge, queueGauge, jobsGauge, tasksGauge, fleetGauge, cpuGauge, memGauge, sliceGauge, pauseGauge} {
		to <- d
	}
}

// Collect asks the loop.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	l, _, _ := g.seat.look()
	if l == nil {
		send(leadsGauge, 0)
		return
	}
	send(leadsGauge, 1)
	send(inboxGauge, float64(len(l.inbox)))
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	now, err := ask(ctx, g.seat, nil, func(l *loop, _ []error) moment { return l.moment(time.Now()) })
	if err != nil {
		return // its health says more
	}
	send(openGauge, float64(now.outstanding))
	send(queueGauge, float64(now.counts.Tasks[state.Pending]))
	for _, s := range state.States {
		if s.OfJob() {
			send(jobsGauge, float64(now.counts.Jobs[s]), s.String())
		}
		send(tasksGauge, float64(now.counts.Tasks[s]), s.String())
	}
	for name, n := range now.fleet {
		send(fleetGauge, float64(n), name)
	}
	for kind, r := range map[string]state.Resources{"capacity": now.capacity, "committed": now.committed} {
		send(cpuGauge, float64(r.CPUMillis)/1000, kind)
		send(memGauge, float64(r.MemoryBytes), kind)
	}
	for of, n := range now.slices {
		send(sliceGauge, float64(n), of[0], of[1])
	}
	for of, n := range now.closed {
		send(pauseGauge, float64(n), of[0], of[1])
	}
}

// moment is what the loop is like at one.
type moment struct {
	counts              state.Counts
	fleet               map[string]int
	capacity, committed state.Resources
	outstanding         uint64
	slices              map[[2]string]int // by group and state
	closed              map[[2]string]int // groups, and why
}

// moment looks at every worker and slice, and at no job.
func (l *loop) moment(now time.Time) moment {
	c := l.leader.Cluster()
	m := moment{
		counts: c.Counts(), outstanding: l.proposed - l.term.Committed(),
		fleet:  map[string]int{"live": 0, "silent": 0, "draining": 0, "lost": 0},
		slices: map[[2]string]int{}, closed: map[[2]string]int{},
	}
	for _, g := range c.Groups() {
		_, open := g.Zone(now)
		m.closed[[2]string{g.Name, "backoff"}] = map[bool]int{true: 1}[g.BackoffUntil.After(now)]
		m.closed[[2]string{g.Name, "quota"}] = map[bool]int{true: 1}[!open]
	}
	for _, s := range c.Slices() {
		m.slices[[2]string{s.Group, s.State.String()}]++
	}
	for _, w := range c.Workers() {
		if w.Lost {
			m.fleet["lost"]++
			continue
		}
		m.capacity, m.committed = m.capacity.Add(w.Capacity), m.committed.Add(w.Committed)
		m.fleet[standings[l.leader.Standing(now, w.ID)]]++
	}
	return m
}

var standings = map[leader.Standing]string{leader.Takes: "live", leader.Silent: "silent", leader.Draining: "draining"}

package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// mistake is something wrong in a description.
type mistake struct {
	at   string // its place: "worker.poll_interval", "groups[1].name"
	text string
	line int // 0: that of its place
}

// Validate returns every mistake at once.
func (c Cluster) Validate() error {
	var errs []error
	for _, m := range c.mistakes() {
		errs = append(errs, errors.New(m.text))
	}
	return errors.Join(errs...)
}

func (c Cluster) mistakes() []mistake {
	var r review
	r.checkCluster(c)
	r.checkAutoscaler(c.Autoscaler)
	for i, g := range c.Groups {
		r.group(i, g)
		r.checkGroup(g)
		r.checkPlatform(g)
		r.checkOthers(i, c.Groups)
	}
	r.checkCycles(c.Groups)
	r.checkHostsOnce(c.Groups)
	return r.wrong
}

// review gathers what is wrong with values.
type review struct {
	part  string // what precedes a key: empty, or "groups[1]."
	about string // what precedes the texts: empty, or "groups[1] tpu-a: "
	wrong []mistake
}

// group says that what fails from now on is of a group.
func (r *review) group(i int, g Group) {
	r.part, r.about = fmt.Sprintf("groups[%d].", i), fmt.Sprintf("groups[%d] %s: ", i, g.Name)
}

// fail notes what is wrong with the value of a key; the text follows the key.
func (r *review) fail(key, format string, args ...any) {
	text := r.about + key + " " + fmt.Sprintf(format, args...)
	r.wrong = append(r.wrong, mistake{at: r.part + key, text: text})
}

// maxDuration keeps sums of durations far from what a number can hold: ten years are for ever.
const maxDuration = 10 * 365 * 24 * time.Hour

func (r *review) duration(key string, d time.Duration) {
	switch {
	case d < 0:
		r.fail(key, "is %v; it cannot be negative", d)
	case d > maxDuration:
		r.fail(key, "is %v; it must be at most %v", d, maxDuration)
	}
}

// clusterName is what can stand in a label and in a file's name.
var clusterName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// What an unset duration stands for, where one is held against the other (see packages controller and worker).
const (
	workerTimeout     = time.Minute
	heartbeatInterval = 10 * time.Second
)

// minAge is how long a job is kept in any case (see package state).
const minAge = time.Minute

// checkCluster finds what is wrong with the cluster, its controller and what its workers share.
func (r *review) checkCluster(c Cluster) {
	if !clusterName.MatchString(c.Name) {
		r.fail("name", "is %q; it must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit", c.Name)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"controller.worker_timeout", c.Controller.WorkerTimeout},
		{"controller.no_worker_grace", c.Controller.NoWorkerGrace},
		{"controller.dispatch_pause", c.Controller.DispatchPause},
		{"worker.heartbeat_interval", c.Worker.HeartbeatInterval},
		{"worker.poll_interval", c.Worker.PollInterval},
		{"worker.kill_grace", c.Worker.KillGrace},
	} {
		if d.value < 0 {
			r.fail(d.key, "is %v; it cannot be negative", d.value)
		}
	}
	if c.Controller.DispatchRounds < 0 {
		r.fail("controller.dispatch_rounds", "is %d; it cannot be negative", c.Controller.DispatchRounds)
	}
	if age := c.Controller.Retention.Age; age > 0 && age < minAge {
		r.fail("controller.retention.age", "is %v; jobs are kept for %v in any case, so that their clients hear how they "+
			"ended: make it at least as long, or negative for ever", age, minAge)
	}
	timeout := cmp.Or(c.Controller.WorkerTimeout, workerTimeout)
	beat := cmp.Or(c.Worker.HeartbeatInterval, heartbeatInterval)
	if timeout > 0 && beat > 0 && timeout < 2*beat {
		r.fail("controller.worker_timeout", "%v leaves no room for a lost heartbeat (worker.heartbeat_interval %v); make it "+
			"at least twice as long", timeout, beat)
	}
}

package state

import (
	"strings"
	"testing"
)

// Each row breaks the busy cluster in one place; the check must see it.
func TestCheckSeesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		want string
		harm func(*Cluster)
	}{
		// the books
		{"worker w-0 has", func(c *Cluster) { c.workers["w-0"].Committed.CPUMillis++ }},
		{"job many counts tasks by state", func(c *Cluster) { c.jobs["many"].counts[Running]++ }},
		{"job many counts 3 untried", func(c *Cluster) { c.jobs["many"].untried++ }},
		{"and 3 held attempts", func(c *Cluster) { c.jobs["many"].held++ }},
		{"job over counts 2 failures", func(c *Cluster) { c.jobs["over"].Failures++ }},
		{"task over/0 counts 2 failures", func(c *Cluster) { c.jobs["over"].Tasks[0].Failures++ }},
		{"attempt gang/0/0 is BUILDING and number 0 of 1, the task is RUNNING", func(c *Cluster) {
			c.Attempt("gang/0/0").State = Building
		}},
		{"attempt gang/0/0 is RUNNING and number 0 of 1, the task is RUNNING; released: true", func(c *Cluster) {
			c.Attempt("gang/0/0").Released = true
		}},
		{"attempt many/1/0 is done and RUNNING", func(c *Cluster) { c.Attempt("many/1/0").Done = true }},
		{"attempt over/0/0 is FAILED and has no end", func(c *Cluster) {
			c.Attempt("over/0/0").Finished = c.Attempt("gang/0/0").Finished
		}},
		{"task gang/0 is PENDING with 1 live attempts", func(c *Cluster) { c.jobs["gang"].Tasks[0].State = Pending }},
		{"gang gang runs 1 of its 2 tasks", func(c *Cluster) { c.jobs["gang"].Tasks[1].Attempts = nil }},
		{"job gang is PENDING, its furthest task RUNNING", func(c *Cluster) { c.jobs["gang"].State = Pending }},
		{"job child goes on after its parent gang ended", func(c *Cluster) { c.jobs["gang"].State = Killed }},
		{"task gang/0 is RUNNING in a job that is KILLED", func(c *Cluster) { c.jobs["gang"].State = Killed }},
		{"attempt gang/0/0 takes capacity of w-0, which is not there", func(c *Cluster) { delete(c.workers, "w-0") }},
		{"attempt gang/0/0 of incarnation 1 takes capacity of w-0", func(c *Cluster) {
			c.workers["w-0"].Incarnation = "2"
		}},
		{"job over, number 3 of 7, stands among the jobs and is not known", func(c *Cluster) {
			delete(c.jobs, "over")
		}},
		{"job child and its parent gang do not know each other", func(c *Cluster) { c.jobs["gang"].children = nil }},
		{"job gang goes on and has lost its name", func(c *Cluster) { delete(c.names, title{name: "gang"}) }},
		{"of 7 jobs, 5 going on and 2 of families that are over, are noted 7, 6 and 2", func(c *Cluster) {
			c.names[title{name: "x"}] = "x"
		}},
		{"of 7 jobs, 5 going on and 2 of families that are over, are noted 7, 5 and 1", func(c *Cluster) {
			c.over = c.over[:1]
		}},
		{"what is over is out of order", func(c *Cluster) { c.over[0], c.over[1] = c.over[1], c.over[0] }},
		{"job x is forgotten and still referred to", func(c *Cluster) { c.queue = append(c.queue, &Job{ID: "x"}) }},
		{"worker w-0 is lost: false, and noted as live: false", func(c *Cluster) { delete(c.live, "w-0") }},
		{"workers w-0 and w-1 are both live at w-0:1", func(c *Cluster) { c.workers["w-1"].Address = "w-0:1" }},
		// the rules
		{"of 1 CPU and 16 GiB", func(c *Cluster) { c.workers["w-1"].Capacity.CPUMillis = 1000 }},
		{"task over/0 is SUCCEEDED with 2 succeeded attempts", func(c *Cluster) {
			c.Attempt("over/0/0").State = Succeeded
			c.jobs["over"].Failures, c.jobs["over"].Tasks[0].Failures = 0, 0
			recount(c)
		}},
		{"attempt over/0/0 is FAILED, done: false, and has ports", func(c *Cluster) { c.Attempt("over/0/0").Ports = map[string]int32{"http": 1} }},
		{"task over/0 is SUCCEEDED after 1 failures and 0 preemptions", func(c *Cluster) {
			*c.jobs["over"].Spec.MaxRetriesFailure = -1
		}},
		{"gang gang runs on pod", func(c *Cluster) {
			a := c.Attempt("gang/1/0")
			a.Worker, a.Done, a.Released = "w-1", false, false
			c.workers["w-1"].hold(a)
			c.jobs["gang"].done = 0
			c.workers["w-1"].Attributes = map[string]string{"pod": "q"}
		}},
		{"task over/0 is exclusive and has 2 attempts that may run", func(c *Cluster) {
			for _, a := range c.jobs["over"].Tasks[0].Attempts {
				a.Released = false
				c.workers["w-0"].hold(a)
			}
			c.jobs["over"].Spec.Exclusive = true
		}},
		{"task over/0 is KILLED in a job that SUCCEEDED", func(c *Cluster) {
			c.jobs["over"].Tasks[0].State = Killed
			c.jobs["over"].counts[Succeeded], c.jobs["over"].counts[Killed] = 0, 1
			recount(c)
		}},
	} {
		cluster := busy(t).c
		c.harm(cluster)
		if err := cluster.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nhas nothing of\n%s", err, c.want)
		}
	}
}

// recount keeps the books of a cluster that was harmed elsewhere.
func recount(c *Cluster) {
	c.counts = Counts{}
	for _, j := range c.order {
		c.counts.add(j, 1)
	}
}

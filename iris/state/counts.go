package state

// Counts are how much a cluster holds. They are kept as it changes, so that to look at them costs nothing.
type Counts struct {
	// Jobs, Tasks and Attempts are those that are not forgotten, by [State].
	Jobs, Tasks, Attempts [numStates]int
	// LiveWorkers and LostWorkers are those that are not forgotten.
	LiveWorkers, LostWorkers int
}

// Counts are those of now.
func (c *Cluster) Counts() Counts {
	now := c.counts
	now.LiveWorkers, now.LostWorkers = len(c.live), len(c.workers)-len(c.live)
	return now
}

// Sub is by how much these are more than others.
func (n Counts) Sub(other Counts) Counts {
	for s := range n.Jobs {
		n.Jobs[s] -= other.Jobs[s]
		n.Tasks[s] -= other.Tasks[s]
		n.Attempts[s] -= other.Attempts[s]
	}
	n.LiveWorkers -= other.LiveWorkers
	n.LostWorkers -= other.LostWorkers
	return n
}

// OfJob reports whether a job can be in the state.
func (s State) OfJob() bool { return jobStates.know(int32(s)) }

// OfAttempt reports whether an attempt can be in the state.
func (s State) OfAttempt() bool { return attemptStates.know(int32(s)) }

// Uses reports whether some job that is not forgotten has this workspace.
func (c *Cluster) Uses(bundle string) bool { return c.bundles[bundle] > 0 }

// count adds a job with all that belongs to it, or takes it away.
func (c *Cluster) count(j *Job, by int) {
	c.counts.add(j, by)
	if sum := j.Spec.BundleSha256; sum != "" {
		if c.bundles[sum] += by; c.bundles[sum] == 0 {
			delete(c.bundles, sum)
		}
	}
}

func (n *Counts) add(j *Job, by int) {
	n.Jobs[j.State] += by
	for i := range j.Tasks {
		t := &j.Tasks[i]
		n.Tasks[t.State] += by
		for _, a := range t.Attempts {
			n.Attempts[a.State] += by
		}
	}
}

func (c *Cluster) moveJob(j *Job, to State) {
	c.counts.Jobs[j.State]--
	JobMoves.move(&j.State, to, func() string { return "job " + j.ID })
	c.counts.Jobs[to]++
}

func (c *Cluster) moveAttempt(a *Attempt, to State) {
	c.counts.Attempts[a.State]--
	AttemptMoves.move(&a.State, to, a.what)
	c.counts.Attempts[to]++
}

// checkCounts is about what is kept of all jobs together.
func (c *Cluster) checkCounts(fail func(string, ...any)) {
	counts, bundles := Counts{}, map[string]int{}
	for _, j := range c.order {
		counts.add(j, 1)
		if sum := j.Spec.BundleSha256; sum != "" {
			bundles[sum]++
		}
	}
	if counts != c.counts {
		fail("the cluster counts %v, it holds %v", c.counts, counts)
	}
	for sum := range c.bundles {
		if c.bundles[sum] != bundles[sum] {
			fail("bundle %s counts %d jobs, %d have it", sum, c.bundles[sum], bundles[sum])
		}
		delete(bundles, sum)
	}
	if len(bundles) > 0 {
		fail("jobs have bundles that are not counted: %v", bundles)
	}
}

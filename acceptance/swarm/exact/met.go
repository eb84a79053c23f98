package exact

import (
	"slices"

	"iris/iris/state"
)

// Met counts what commands met: the state of what each was about when it was applied.
type Met map[Pair]int

// Pair is a command, and what it met: {"Observe RUNNING", "ASSIGNED"}.
type Pair struct{ Command, State string }

func (m Met) add(command, state string) { m[Pair{command, state}]++ }

// Add adds what another story met.
func (m Met) Add(other Met) {
	for pair, n := range other {
		m[pair] += n
	}
}

// note counts a command that is about to be applied.
func (m Met) note(c *state.Cluster, command state.Command) {
	switch cmd := command.(type) {
	case state.SubmitJob:
		m.add("SubmitJob", jobState(c, cmd.ID))
	case state.CancelJob:
		m.add("CancelJob", jobState(c, cmd.ID))
	case state.ForgetJobs:
		for _, id := range cmd.IDs {
			m.add("ForgetJobs", jobState(c, id))
		}
	case state.ForgetWorkers:
		for _, id := range cmd.IDs {
			m.add("ForgetWorkers", workerState(c, id, ""))
		}
	case state.RegisterWorker:
		m.add("RegisterWorker", workerState(c, cmd.ID, cmd.Incarnation))
	case state.LoseWorker:
		m.add("LoseWorker", workerState(c, cmd.ID, cmd.Incarnation))
	case state.Assign:
		for _, p := range cmd.Placements {
			if j := c.Job(p.Job); j != nil {
				m.add("Assign", j.Tasks[p.Task].State.String())
			}
		}
	case state.Observe:
		for _, r := range cmd.Reports {
			m.add("Observe "+r.State.String(), attemptState(c, r.UID))
		}
	case state.FailDispatch:
		m.add("FailDispatch", attemptState(c, cmd.UID))
	case state.Expire:
		m.add(expiries[cmd.Deadline.Kind], jobState(c, cmd.Deadline.Job))
	case state.SetPolicy:
		m.add("SetPolicy", "")
	case state.SetGroups:
		m.add("SetGroups", "")
	case state.RequestSlice:
		m.add("RequestSlice", "")
	case state.RefuseSlice:
		m.add("RefuseSlice", sliceState(c, cmd.ID))
	case state.ObserveSlice:
		m.add("ObserveSlice", sliceState(c, cmd.ID))
	case state.StopSlice:
		m.add("StopSlice", sliceState(c, cmd.ID))
	case state.EndSlice:
		m.add("EndSlice", sliceState(c, cmd.ID))
	}
}

var expiries = map[state.DeadlineKind]string{
	state.SchedulingDeadline: "Expire scheduling", state.TimeoutDeadline: "Expire timeout", state.StrandedDeadline: "Expire stranded",
}

const unknown = "unknown"

func jobState(c *state.Cluster, id string) string {
	if j := c.Job(id); j != nil {
		return j.State.String()
	}
	return unknown
}

func attemptState(c *state.Cluster, uid string) string {
	if a := c.Attempt(uid); a != nil {
		return a.State.String()
	}
	return unknown
}

// workerState is also how a worker's incarnation stands to that of a command.
func workerState(c *state.Cluster, id, incarnation string) string {
	w := c.Worker(id)
	switch {
	case w == nil:
		return unknown
	case w.Lost:
		return "lost"
	case incarnation > w.Incarnation:
		return "live, older"
	case incarnation != "" && incarnation < w.Incarnation:
		return "live, newer"
	}
	return "live"
}

func sliceState(c *state.Cluster, id string) string {
	all := c.Slices()
	if i := slices.IndexFunc(all, func(s *state.Slice) bool { return s.ID == id }); i >= 0 {
		return all[i].State.String()
	}
	return unknown
}

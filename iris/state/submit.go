package state

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"iris/iris/mutant"
)

func (c *Cluster) submit(now time.Time, cmd SubmitJob) error {
	if known := c.jobs[cmd.ID]; known != nil {
		if proto.Equal(known.Spec, cmd.Spec) {
			return nil
		}
		return &Error{AlreadyExists, fmt.Sprintf(
			"job %s was launched with another spec; use a new id for a new job", cmd.ID)}
	}
	parent := c.jobs[cmd.Spec.ParentJobId]
	switch {
	case parent == nil && cmd.Spec.ParentJobId != "":
		return &Error{NotFound, fmt.Sprintf("parent job %s is unknown", cmd.Spec.ParentJobId)}
	case parent != nil && parent.State.Terminal():
		return &Error{FailedPrecondition, fmt.Sprintf(
			"parent job %s is over (%v); launch the job without a parent", parent.ID, parent.State)}
	}
	if holder, taken := c.names[title{cmd.Spec.ParentJobId, cmd.Spec.Name}]; taken {
		return &Error{AlreadyExists, fmt.Sprintf("job %s has the name %q and is not over; stop it or choose another name",
			holder, cmd.Spec.Name)}
	}

	j := newJob(cmd.ID, cmd.Spec, parent)
	j.Seq, j.Submitted, j.Trace, j.numbered = c.next, now, cmd.Trace, c.numberedFrom > 0
	for i := range j.Tasks {
		c.wait(j, int32(i))
	}
	c.jobs[j.ID], c.names[j.title()] = j, j.ID
	c.order = append(c.order, j)
	c.next++
	c.count(j, 1)
	if at := j.schedulingDeadline(); !at.IsZero() {
		c.schedule(Deadline{At: at, Kind: SchedulingDeadline, Job: j.ID})
	}
	c.tellJob(now, j)
	return nil
}

// title is what only one job at a time may have: a name below a parent.
type title struct{ parent, name string }

// title is the job's.
func (j *Job) title() title { return title{j.Spec.ParentJobId, j.Spec.Name} }

func (c *Cluster) cancel(now time.Time, cmd CancelJob) error {
	j := c.jobs[cmd.ID]
	if j == nil {
		return &Error{NotFound, fmt.Sprintf("job %s is unknown", cmd.ID)}
	}
	if j.State == Killed && mutant.On(mutant.SecondStopChangesJob) {
		j.Finished, j.Error = now, valid(cmd.Reason)
	}
	c.finishJob(now, j, Killed, valid(cmd.Reason))
	return nil
}

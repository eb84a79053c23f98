package view

import (
	"fmt"
	"strings"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// waits is why a task waits: what its kind of reason means, and what helps (design §3, "Why a task waits").
func (c *theCase) waits(task string, reason *pb.PendingReason) verdict {
	text := reason.GetText()
	v := verdict{text: fmt.Sprintf("%s has waited for %s", strings.ToUpper(task[:1])+task[1:], between(c.job.SubmittedAt, nil, c.now))}
	if n := len(c.task.Attempts); n > 0 {
		v.text = fmt.Sprintf("After %s %s waits", model.CountText(n, "attempt"), task)
	}
	stop := func(v verdict) verdict { return v.try(c, "Or end the job.", "job stop", "%s", c.job.JobId) }
	switch reason.GetKind() {
	case pb.PendingReason_KIND_NEXT_PASS:
		v.text += " for the scheduler's next pass, which is due: nothing stands in its way."
		return v.try(c, "Follow it.", "job attach", "%s", c.job.JobId)
	case pb.PendingReason_KIND_NO_WORKERS:
		v.text += fmt.Sprintf(" because no worker takes anything: %s. It is placed as soon as one does.", text)
		v = v.try(c, "See which workers are lost or drain, and since when.", "worker list", "")
		v = v.try(c, "See whether machines are on their way, or why none is.", "cluster groups", "")
		return v.try(c, "Start a worker on a host of yours.", "worker", "")
	case pb.PendingReason_KIND_TOO_LARGE:
		v.text += fmt.Sprintf(" because even an empty worker is too small: %s. It will wait until a larger worker comes.", text)
		v = v.try(c, "See how large the workers are.", "worker list", "")
		v = v.try(c, "Ask for less.", "job run", "--cpu CPU --memory MEMORY -- COMMAND")
		return stop(v)
	case pb.PendingReason_KIND_NO_CAPACITY:
		if strings.HasPrefix(text, "avoids ") {
			v.text += fmt.Sprintf(" for other workers than those that could not be reached: %s. Those are tried again once all others were.", text)
			return v.try(c, "See whether the workers are heard of.", "worker list", "")
		}
		v.text += fmt.Sprintf(" because the workers that could run it are full now: %s. It is placed as soon as there is room.", text)
		v = v.try(c, "See what takes the room.", "top", "--once")
		v = v.try(c, "See whether machines are on their way, or why none is.", "cluster groups", "")
		return v.try(c, "The next time, ask for less or go before others.", "job run", "--cpu CPU --priority production -- COMMAND")
	case pb.PendingReason_KIND_CONSTRAINTS:
		v.text += fmt.Sprintf(" because no worker satisfies its constraints: %s. It will wait until one that does comes.", text)
		v = v.try(c, "See which attributes the workers have.", "worker list", "--output wide")
		v = v.try(c, "Ask for what there is.", "job run", "--constraint KEY==VALUE -- COMMAND")
		return stop(v)
	case pb.PendingReason_KIND_GANG:
		return c.gangWaits(v, text)
	case pb.PendingReason_KIND_BACKOFF:
		v.text += fmt.Sprintf(" in a pause: %s. Each pause is twice as long as the one before, and after the last round the task fails.", text)
		v = v.try(c, "See whether the workers are heard of.", "worker list", "")
		return v.try(c, "See each try, with what the workers answered.", "task list", "%s --output wide", c.job.JobId)
	case pb.PendingReason_KIND_STOPPING:
		v.text += fmt.Sprintf(" for its last attempt to be gone: %s. It goes on once the worker confirms that, or is lost.", text)
		for _, a := range c.task.Attempts[max(0, len(c.task.Attempts)-1):] {
			v = v.try(c, "See when its worker was last heard of.", "worker list", "%s", a.WorkerId)
		}
		return stop(v)
	}
	v.text += ": " + text + "."
	return v.try(c, "See how it is.", "job status", "%s", c.job.JobId)
}

func (c *theCase) gangWaits(v verdict, text string) verdict {
	v.text += " with its gang, all of whose tasks start at once or none does"
	switch {
	case strings.Contains(text, "even when empty"):
		v.text += fmt.Sprintf(": %s. No group of workers is large enough, so it will wait until one that is comes.", text)
		v = v.try(c, "See how large the workers are, and what they share.", "worker list", "--output wide")
		return v.try(c, "Ask for a smaller gang, or one of smaller tasks.", "job run", "--group-by ATTRIBUTE --replicas N --cpu CPU -- COMMAND")
	case strings.HasPrefix(text, "no worker has the attribute "):
		v.text += fmt.Sprintf(" on workers that share an attribute: %s.", text)
		return v.try(c, "See which attributes the workers have.", "worker list", "--output wide")
	}
	v.text += fmt.Sprintf(": %s. It is placed once a whole group has room, which is kept for it if it ran before.", text)
	v = v.try(c, "See what takes the room.", "top", "--once")
	return v.try(c, "See whether slices are on their way, or why none is.", "cluster groups", "")
}

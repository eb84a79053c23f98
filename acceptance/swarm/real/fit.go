package real

import (
	"strings"

	"iris/acceptance/swarm/story"
	pb "iris/iris/proto"
)

// fits reports, naively, whether a job would get its workers if nothing else ran: machines that are there, or that a scale
// group can bring.
func (t *teller) fits(status *pb.JobStatus) bool {
	for i := range t.Jobs {
		if story.JobID(i) == status.JobId {
			return fits(t.Cluster, &t.Jobs[i])
		}
	}
	return false
}

func fits(c story.Cluster, j *story.Job) bool {
	room := map[string]int{} // tasks that each group of workers takes at once, by what the workers share
	add := func(worker, pod, slice string, tasks int) {
		switch j.GroupBy {
		case "":
			room["any"] += tasks
		case "worker":
			room[worker] += tasks
		case "pod":
			if pod != "" {
				room[pod] += tasks
			}
		case "slice":
			room[slice] += tasks
		}
	}
	for i, w := range c.Workers {
		if wants(j.Pod, w.Pod) {
			id := string(rune('0' + i))
			add("w-"+id, w.Pod, "f-"+id, w.CPU/j.CPU)
		}
	}
	for _, g := range c.Groups {
		for m := range g.VMs {
			if wants(j.Pod, "") {
				add(g.Name+string(rune('0'+m)), "", g.Name, g.CPU/j.CPU)
			}
		}
	}
	for _, tasks := range room {
		if tasks >= j.Tasks || j.GroupBy == "" && tasks > 0 {
			return true
		}
	}
	return false
}

// wants reports whether a job's constraint takes a worker of a pod; "" is one without.
func wants(constraint, pod string) bool {
	if other, not := strings.CutPrefix(constraint, "!"); not {
		return pod != other
	}
	return constraint == "" || pod == constraint
}

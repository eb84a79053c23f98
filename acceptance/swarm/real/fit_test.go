package real

import (
	"testing"

	"iris/acceptance/swarm/story"
)

func TestWhatFitsAnEmptyCluster(t *testing.T) {
	two := story.Cluster{Workers: []story.Worker{{CPU: 4, Pod: "p"}, {CPU: 4, Pod: "p"}, {CPU: 2, Pod: "q"}}}
	group := story.Cluster{Groups: []story.Group{{Name: "g", CPU: 4, VMs: 2, Max: 1}}}
	for _, c := range []struct {
		says    string
		cluster story.Cluster
		job     story.Job
		fits    bool
	}{
		{"a task as large as a worker", two, story.Job{Tasks: 9, CPU: 4}, true},
		{"a larger one", two, story.Job{Tasks: 1, CPU: 5}, false},
		{"one for a pod", two, story.Job{Tasks: 1, CPU: 2, Pod: "q"}, true},
		{"one too large for its pod", two, story.Job{Tasks: 1, CPU: 4, Pod: "q"}, false},
		{"one for any other pod", two, story.Job{Tasks: 1, CPU: 4, Pod: "!q"}, true},
		{"one for a pod that there is not", two, story.Job{Tasks: 1, CPU: 1, Pod: "none"}, false},
		{"a gang that fills a pod", two, story.Job{Tasks: 4, CPU: 2, GroupBy: "pod"}, true},
		{"one that two pods together could take", two, story.Job{Tasks: 5, CPU: 2, GroupBy: "pod"}, false},
		{"one in the wrong pod", two, story.Job{Tasks: 4, CPU: 2, GroupBy: "pod", Pod: "q"}, false},
		{"one that fills a worker", two, story.Job{Tasks: 4, CPU: 1, GroupBy: "worker"}, true},
		{"one too large for any worker", two, story.Job{Tasks: 5, CPU: 1, GroupBy: "worker"}, false},
		{"one for a slice, which each worker is", two, story.Job{Tasks: 2, CPU: 4, GroupBy: "slice"}, false},
		{"one that fills a slice to come", group, story.Job{Tasks: 2, CPU: 4, GroupBy: "slice"}, true},
		{"one too large for it", group, story.Job{Tasks: 3, CPU: 4, GroupBy: "slice"}, false},
		{"one for a pod, where none has any", group, story.Job{Tasks: 1, CPU: 1, GroupBy: "pod"}, false},
		{"a task of a machine to come", group, story.Job{Tasks: 9, CPU: 4}, true},
		{"one for a machine of another pod than none", group, story.Job{Tasks: 1, CPU: 1, Pod: "!p"}, true},
	} {
		if got := fits(c.cluster, &c.job); got != c.fits {
			t.Errorf("%s: %t", c.says, got)
		}
	}
}

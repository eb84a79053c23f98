package story

import (
	"testing"
)

func TestWhatFitsAnEmptyCluster(t *testing.T) {
	two := Cluster{Workers: []Worker{{CPU: 4, Pod: "p"}, {CPU: 4, Pod: "p"}, {CPU: 2, Pod: "q"}}}
	pod := Cluster{Groups: []Group{{Name: "g", CPU: 4, VMs: 2, Max: 2, Pod: "p"}}, Workers: []Worker{{CPU: 4, Pod: "p"}}}
	group := Cluster{Groups: []Group{{Name: "g", CPU: 4, VMs: 2, Max: 1}}}
	for _, c := range []struct {
		says    string
		cluster Cluster
		job     Job
		fits    bool
	}{
		{"a task as large as a worker", two, Job{Tasks: 9, CPU: 4}, true},
		{"a larger one", two, Job{Tasks: 1, CPU: 5}, false},
		{"one for a pod", two, Job{Tasks: 1, CPU: 2, Pod: "q"}, true},
		{"one too large for its pod", two, Job{Tasks: 1, CPU: 4, Pod: "q"}, false},
		{"one for any other pod", two, Job{Tasks: 1, CPU: 4, Pod: "!q"}, true},
		{"one for a pod that there is not", two, Job{Tasks: 1, CPU: 1, Pod: "none"}, false},
		{"a gang that fills a pod", two, Job{Tasks: 4, CPU: 2, GroupBy: "pod"}, true},
		{"one that two pods together could take", two, Job{Tasks: 5, CPU: 2, GroupBy: "pod"}, false},
		{"one in the wrong pod", two, Job{Tasks: 4, CPU: 2, GroupBy: "pod", Pod: "q"}, false},
		{"one that fills a worker", two, Job{Tasks: 4, CPU: 1, GroupBy: "worker"}, true},
		{"one too large for any worker", two, Job{Tasks: 5, CPU: 1, GroupBy: "worker"}, false},
		{"one for a slice, which each worker is", two, Job{Tasks: 2, CPU: 4, GroupBy: "slice"}, false},
		{"one that fills a slice to come", group, Job{Tasks: 2, CPU: 4, GroupBy: "slice"}, true},
		{"one too large for it", group, Job{Tasks: 3, CPU: 4, GroupBy: "slice"}, false},
		{"one for a pod, where none has any", group, Job{Tasks: 1, CPU: 1, GroupBy: "pod"}, false},
		{"a task of a machine to come", group, Job{Tasks: 9, CPU: 4}, true},
		{"one for a machine of another pod than none", group, Job{Tasks: 1, CPU: 1, Pod: "!p"}, true},
		{"one that takes all machines of a pod", pod, Job{Tasks: 20, CPU: 1, GroupBy: "pod"}, true},
		{"one too large for these", pod, Job{Tasks: 21, CPU: 1, GroupBy: "pod"}, false},
		{"one too large for each slice of them", pod, Job{Tasks: 9, CPU: 1, GroupBy: "slice"}, false},
		{"one too large for each machine of them", pod, Job{Tasks: 5, CPU: 1, GroupBy: "worker"}, false},
	} {
		if got := c.cluster.Fits(&c.job, func(int) bool { return true }); got != c.fits {
			t.Errorf("%s: %t", c.says, got)
		}
	}
}

func TestAWorkerThatIsNotThereTakesNothing(t *testing.T) {
	two := Cluster{Workers: []Worker{{CPU: 2}, {CPU: 4}}}
	job := Job{Tasks: 1, CPU: 4}
	for gone, fits := range []bool{true, false} {
		if got := two.Fits(&job, func(worker int) bool { return worker != gone }); got != fits {
			t.Errorf("without worker %d: %t", gone, got)
		}
	}
}

package story

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"iris/acceptance/fault"
)

// Story is all that a run follows from.
type Story struct {
	// Seed decides what the story leaves open: how long messages take, and how coins fall.
	Seed    uint64  `json:"seed"`
	Cluster Cluster `json:"cluster"`
	Jobs    []Job   `json:"jobs"`
	// Faults are in the order in which they begin. All are over by Length, and no job is launched later.
	Faults []fault.Fault `json:"faults"`
	Length fault.Span    `json:"length"`
}

// Cluster is its shape.
type Cluster struct {
	Controllers int `json:"controllers"` // voters; 1, 3 or 5
	// Workers are there from the start: w-0, w-1 and so on.
	Workers []Worker `json:"workers"`
	// Groups are scale groups, whose machines come and go.
	Groups []Group `json:"groups,omitempty"`
	// Beat is the time between two heartbeats. A worker is lost after six beats that are not heard.
	Beat fault.Span `json:"beat"`
	// Grace is how long tasks that lost their worker wait while nobody could run them; Rounds how often all workers are tried.
	Grace  fault.Span `json:"grace"`
	Rounds int        `json:"rounds"`
	// Keepers has what a worker runs go on while it is down; the next life of the worker has it still. Only the exact generator
	// has keepers: the real one runs functions, which end with their process.
	Keepers bool `json:"keepers,omitempty"`
	// Keep is how many jobs that are over are kept. 0: all of them.
	Keep int `json:"keep,omitempty"`
}

// Worker is a machine.
type Worker struct {
	CPU int    `json:"cpu"`           // cores; memory is 4 GiB for each
	Pod string `json:"pod,omitempty"` // an attribute for constraints and gangs; empty: it has none
}

// Group is a scale group of machines that are all alike.
type Group struct {
	Name string     `json:"name"`
	CPU  int        `json:"cpu"`           // cores of each machine
	Pod  string     `json:"pod,omitempty"` // of each machine; see Worker
	VMs  int        `json:"vms"`           // of each slice
	Min  int        `json:"min,omitempty"`
	Max  int        `json:"max"`
	Boot fault.Span `json:"boot"` // how long a machine takes until its worker starts
}

// Job is one that somebody launches. Its id is "j-" and its number in the story.
type Job struct {
	At fault.Span `json:"at"` // when it is launched
	// Name is for several jobs that have the same. Empty: its id.
	Name  string `json:"name,omitempty"`
	Tasks int    `json:"tasks"`
	CPU   int    `json:"cpu"` // cores that each task needs; memory is 1 GiB for each
	// GroupBy makes it a gang: "pod", "worker", "slice".
	GroupBy string `json:"group_by,omitempty"`
	// Pod constrains it to workers of a pod; "!p" to those of any other.
	Pod       string `json:"pod,omitempty"`
	Exclusive bool   `json:"exclusive,omitempty"`
	Band      int    `json:"band,omitempty"` // its priority; 0: the default
	// The budgets; nil: their defaults.
	Failures     *int32     `json:"failures,omitempty"`
	Preemptions  *int32     `json:"preemptions,omitempty"`
	TaskFailures *int32     `json:"task_failures,omitempty"`
	Timeout      fault.Span `json:"timeout,omitempty"`
	Scheduling   fault.Span `json:"scheduling,omitempty"` // timeout of the wait for a first attempt
	// Parent is the number of the job that it ends with, plus 1. 0: none.
	Parent int `json:"parent,omitempty"`
	// Runs is how long each attempt runs. Builds: it has a workspace, and so a BUILDING phase. Ports: it wants a port.
	Runs   fault.Span `json:"runs"`
	Builds bool       `json:"builds,omitempty"`
	Ports  bool       `json:"ports,omitempty"`
	// Fails is how many attempts of each task end with exit code 1, the first ones. Stubborn ones ignore that they are to stop.
	Fails    int  `json:"fails,omitempty"`
	Stubborn bool `json:"stubborn,omitempty"`
	// Stopped is when somebody stops it. 0: nobody does. Twice: it is launched again with the same id a second later.
	Stopped fault.Span `json:"stopped,omitempty"`
	Twice   bool       `json:"twice,omitempty"`
}

// Slice is the name of what the worker with this number is alone in.
func (w Worker) Slice(number int) string { return fmt.Sprintf("f-%d", number) }

// Attributes are what constraints and gangs see of a machine of a pod.
func Attributes(pod string) map[string]string {
	if pod == "" {
		return nil
	}
	return map[string]string{"pod": pod}
}

// WorkerTimeout is how long a worker may be silent.
func (c Cluster) WorkerTimeout() time.Duration { return 6 * time.Duration(c.Beat) }

// JobID is the id of the job with this number.
func JobID(number int) string { return "j-" + strconv.Itoa(number) }

// Marshal writes a story for people to read, and for Unmarshal.
func (s Story) Marshal() []byte {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		panic(err) // all of it has a text
	}
	return append(text, '\n')
}

// Unmarshal reads what Marshal wrote.
func Unmarshal(text []byte) (s Story, err error) {
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read a story: %w", err)
	}
	return s, s.Check()
}

// Check refuses a story that cannot be told.
func (s Story) Check() error {
	switch {
	case s.Cluster.Controllers < 1 || s.Cluster.Beat <= 0 || s.Length <= 0:
		return fmt.Errorf("a story needs controllers (%d), a beat (%v) and a length (%v)", s.Cluster.Controllers, s.Cluster.Beat, s.Length)
	case len(s.Cluster.Workers)+len(s.Cluster.Groups) == 0:
		return fmt.Errorf("a story needs workers, or groups that bring some")
	}
	for i, j := range s.Jobs {
		if j.Tasks < 1 || j.CPU < 1 || j.Parent > i {
			return fmt.Errorf("job %d has %d tasks of %d cores and parent %d; want 1 or more, and a parent before it", i, j.Tasks, j.CPU, j.Parent-1)
		}
	}
	return nil
}

package story

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"iris/acceptance/fault"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// Payload is the name of the function that tasks run: how long, how many attempts fail, and whether it is stubborn are its
// arguments.
const Payload = "story"

// CoreMemory is what a worker has for each core, and TaskMemory what a task takes for each.
const (
	CoreMemory = 4 * client.GiB
	TaskMemory = client.GiB
)

// Spec is what the job with this number is launched as. Bundle is the workspace of those that build.
func (s *Story) Spec(number int, bundle string) *pb.JobSpec {
	spec := s.Demand(number, bundle)
	spec.Entrypoint = s.Jobs[number].entrypoint()
	return spec
}

// Demand is a Spec without what it runs, which is nothing to those who decide where and when.
func (s *Story) Demand(number int, bundle string) *pb.JobSpec {
	j := &s.Jobs[number]
	var all struct { // in one piece: there are very many
		spec      pb.JobSpec
		resources pb.Resources
	}
	spec := &all.spec
	spec.Name = j.Name
	if spec.Name == "" {
		spec.Name = JobID(number)
	}
	spec.Resources = &all.resources
	spec.Resources.CpuMillis, spec.Resources.MemoryBytes = int64(j.CPU)*1000, int64(j.CPU)*TaskMemory
	spec.MaxRetriesFailure, spec.MaxRetriesPreemption, spec.MaxTaskFailures = j.Failures, j.Preemptions, j.TaskFailures
	spec.Priority, spec.Exclusive = pb.PriorityBand(j.Band), j.Exclusive
	spec.Timeout, spec.SchedulingTimeout = span(j.Timeout), span(j.Scheduling)
	if j.Tasks > 1 {
		spec.Replicas = client.Limit(int32(j.Tasks))
	}
	if j.GroupBy != "" {
		spec.Coscheduling = &pb.Coscheduling{GroupBy: j.GroupBy}
	}
	if pod, other := strings.CutPrefix(j.Pod, "!"); j.Pod != "" {
		op := pb.ConstraintOp_CONSTRAINT_OP_EQ
		if other {
			op = pb.ConstraintOp_CONSTRAINT_OP_NE
		}
		spec.Constraints = []*pb.Constraint{{Key: "pod", Op: op, Value: pod}}
	}
	if j.Parent > 0 {
		spec.ParentJobId = JobID(j.Parent - 1)
	}
	if j.Builds {
		spec.BundleSha256 = bundle
	}
	if j.Ports {
		spec.Ports = []string{"http"}
	}
	return spec
}

func (j *Job) entrypoint() *pb.Entrypoint {
	stubborn := ""
	if j.Stubborn {
		stubborn = "stubborn"
	}
	return client.Function(Payload, j.Runs.String(), strconv.Itoa(j.Fails), stubborn)
}

func span(d fault.Span) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(time.Duration(d))
}

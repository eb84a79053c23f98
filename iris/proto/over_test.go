package pb_test

import (
	"testing"

	pb "iris/iris/proto"
)

func TestOnlyFinalStatesAreOver(t *testing.T) {
	for n, name := range pb.JobState_name {
		live := name == "JOB_STATE_UNSPECIFIED" || name == "JOB_STATE_PENDING" || name == "JOB_STATE_BUILDING" || name == "JOB_STATE_RUNNING"
		if pb.JobState(n).Over() == live {
			t.Errorf("%s.Over() is %v", name, !live)
		}
	}
	for n, name := range pb.TaskState_name {
		_, ofJob := pb.JobState_name[n]
		switch over := pb.TaskState(n).Over(); {
		case ofJob && over != pb.JobState(n).Over(), name == "TASK_STATE_ASSIGNED" && over, name == "TASK_STATE_COSCHED_FAILED" && !over:
			t.Errorf("%s.Over() is %v", name, over)
		}
	}
	if !pb.TaskState(99).Over() || !pb.JobState(99).Over() {
		t.Error("a state of a later version is waited for for ever")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	pb "iris/iris/proto"
	"iris/iris/state"
)

func TestNobodyHasToReadGRPC(t *testing.T) {
	const refusedDial = `connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.1:7070: connect: connection refused"`
	for _, c := range []struct {
		code codes.Code
		text string
		want string
	}{
		{codes.Unavailable, refusedDial, "cannot reach a controller at A: connection refused. Is it running? Start one with " +
			"`iris cluster start --local`, or name it with --controller or IRIS_CONTROLLER"},
		{codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp: lookup nowhere: no such host"`,
			"cannot reach a controller at A: dial tcp: lookup nowhere: no such host. Is it running? Start one with " +
				"`iris cluster start --local`, or name it with --controller or IRIS_CONTROLLER"},
		{codes.Unavailable, "this controller does not lead, and knows of none that does; try again",
			"the controller at A cannot serve now: this controller does not lead, and knows of none that does; try again"},
		{codes.Unavailable, "logs of attempt j/0/0 on worker w-0: " + refusedDial, "logs of attempt j/0/0 on worker w-0: connection refused"},
		{codes.DeadlineExceeded, "context deadline exceeded", "the controller at A did not answer within 0s; it may be overloaded or cut off"},
		{codes.NotFound, "job j is unknown", "job j is unknown"},
		{codes.InvalidArgument, "job j cannot be launched: …", "job j cannot be launched: …"},
		{codes.Internal, "disk full", "the controller at A failed at that: disk full"},
		{codes.PermissionDenied, "role user may not", "the controller at A does not allow that: role user may not"},
		{codes.Unimplemented, "unknown service", "the controller at A cannot do that; it may be an older Iris than this one, or run without it: unknown service"},
	} {
		for _, err := range []error{
			status.Error(c.code, c.text), fmt.Errorf("wrapped: %w", status.Error(c.code, c.text)),
			fmt.Errorf("%w; the last try: %w", context.DeadlineExceeded, status.Error(c.code, c.text)),
		} {
			if got := words(wrong(err, "A", 0)); got != c.want {
				t.Errorf("%v\nis said as %s\nwant       %s", err, got, c.want)
			}
		}
	}
	if got := words(wrong(fmt.Errorf("%w; the last try: %w", context.Canceled, status.Error(codes.Unavailable, "x")), "A", 0)); got != "interrupted" {
		t.Errorf("an interruption is said as %q", got)
	}
	if err := errors.New("no such directory"); words(wrong(err, "A", 0)) != err.Error() {
		t.Errorf("an error that is not gRPC's is changed: %v", wrong(err, "A", 0))
	}
}

func TestConstraintsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]*pb.Constraint{
		"zone==eu-1":    {Key: "zone", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: "eu-1"},
		"zone == eu-1":  {Key: "zone", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: "eu-1"},
		"zone!=eu-1":    {Key: "zone", Op: pb.ConstraintOp_CONSTRAINT_OP_NE, Value: "eu-1"},
		"cores>=8":      {Key: "cores", Op: pb.ConstraintOp_CONSTRAINT_OP_GE, Value: "8"},
		"cores<=8":      {Key: "cores", Op: pb.ConstraintOp_CONSTRAINT_OP_LE, Value: "8"},
		"cores>8":       {Key: "cores", Op: pb.ConstraintOp_CONSTRAINT_OP_GT, Value: "8"},
		"cores<8":       {Key: "cores", Op: pb.ConstraintOp_CONSTRAINT_OP_LT, Value: "8"},
		"gpu":           {Key: "gpu", Op: pb.ConstraintOp_CONSTRAINT_OP_EXISTS},
		"!gpu":          {Key: "gpu", Op: pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS},
		"label==a=b==c": {Key: "label", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: "a=b==c"},
	} {
		got, err := readConstraint(text)
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
		if want.Value == "" {
			continue
		}
		again, err := readConstraint(state.ConstraintText(got)) // as errors write it
		if diff := cmp.Diff(got, again, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%q: %v %s", state.ConstraintText(got), err, diff)
		}
	}
	for _, text := range []string{"", "!", "==", "zone==", "==eu", "zone=eu", "zone===eu", "!zone==eu", "a<>b", "a=<b", " "} {
		if got, err := readConstraint(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestAJobIsFoundByIdNameOrBeginning(t *testing.T) {
	jobs := []*pb.JobStatus{
		{JobId: "train-aaa", Name: "train", State: pb.JobState_JOB_STATE_SUCCEEDED},
		{JobId: "train-abc", Name: "train", State: pb.JobState_JOB_STATE_RUNNING},
		{JobId: "eval-1", Name: "eval", State: pb.JobState_JOB_STATE_FAILED},
		{JobId: "eval-2", Name: "eval", State: pb.JobState_JOB_STATE_FAILED},
		{JobId: "x-1", Name: "twin", State: pb.JobState_JOB_STATE_RUNNING},
		{JobId: "x-2", Name: "twin", State: pb.JobState_JOB_STATE_PENDING},
	}
	for text, want := range map[string]string{
		"train":    "train-abc", // the one that is not over, although two ids begin so
		"train-a":  "!\"train-a\" means 2 jobs; say which:\n  train-abc  RUNNING\n  train-aaa  SUCCEEDED",
		"train-b":  "!there is no job \"train-b\"; `iris job list` shows those there are",
		"train-aa": "train-aaa",
		"eval":     "!\"eval\" means 2 jobs; say which:\n  eval-2  FAILED\n  eval-1  FAILED",
		"twin":     "!\"twin\" means 2 jobs; say which:\n  x-2  PENDING\n  x-1  RUNNING",
		"x-2":      "x-2",
	} {
		got, err := pick(text, jobs)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != want {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
	var many []*pb.JobStatus
	for i := range 25 {
		many = append(many, &pb.JobStatus{JobId: fmt.Sprintf("j-%d", i), State: pb.JobState_JOB_STATE_FAILED})
	}
	if _, err := pick("j", many); err == nil || strings.Count(err.Error(), "\n") != 11 || !strings.HasSuffix(err.Error(), "and 15 more") {
		t.Errorf("25 candidates: %v", err)
	}
}

package client_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/client"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// A controller that is called too often says when to come again. It is asked no earlier, and not at the same instant by all
// whom it told the same: the pause grows.
func TestAClientThatIsToldToSlowDownDoes(t *testing.T) {
	for name, c := range map[string]struct {
		asked       time.Duration
		tries       int
		least, most time.Duration // of all pauses
	}{
		"a short pause grows":      {time.Millisecond, 6, 2700 * time.Millisecond, 3500 * time.Millisecond}, // 0.1 to 1.6 s, jitter 0.1
		"a long one is waited for": {20 * time.Second, 4, 60 * time.Second, 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, tries := &network.Memory{}, 0
				fake(t, n, &service{launch: func(_ context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
					if tries++; tries < c.tries {
						return nil, tooOften(c.asked)
					}
					return &pb.LaunchJobResponse{JobId: in.JobId}, nil
				}})
				began := time.Now()
				if _, err := connect(t, n).Submit(t.Context(), hello); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); tries != c.tries || took < c.least || took > c.most {
					t.Errorf("%d tries in %v", tries, took)
				}
			})
		})
	}
}

func TestAClientThatIsToldToSlowDownForTooLongGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, tries := &network.Memory{}, 0
		fake(t, n, &service{launch: func(context.Context, *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
			tries++
			return nil, tooOften(4 * time.Second)
		}})
		began := time.Now()
		_, err := connect(t, n, client.Patience(10*time.Second)).Submit(t.Context(), hello)
		if took := time.Since(began); status.Code(err) != codes.ResourceExhausted || tries != 3 || took != 8*time.Second {
			t.Errorf("%d tries in %v: %v", tries, took, err)
		}
	})
}

func tooOften(asked time.Duration) error {
	s, err := status.New(codes.ResourceExhausted, "too often").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(asked)})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/bundle"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// Spec is a job to submit. Only Name and Entrypoint must be set.
type Spec struct {
	// ID identifies the job; submitting the same id and spec again is harmless. Empty: made from the name.
	ID string
	// Name is for people: up to 128 characters, no '/'.
	Name string
	// Entrypoint is what each task runs: Command or Function.
	Entrypoint *pb.Entrypoint
	// CPU is what each task needs, in cores, to the thousandth. 0: 1.
	CPU float64
	// Memory is what each task needs, in bytes. 0: 1 GiB.
	Memory int64
	// Environment is added to each task's; names beginning with IRIS_ are Iris's own.
	Environment map[string]string
	// Replicas is the number of tasks. 0: 1.
	Replicas int
	// GroupBy makes the tasks a gang: all at once on workers that share this attribute, or none. "worker": on one worker.
	GroupBy string
	// Constraints must all hold for a worker to be used.
	Constraints []*pb.Constraint
	// Budgets (see [Limit]); nil takes the defaults: 0 failures, 100 preemptions, 0 failed tasks.
	MaxRetriesFailure, MaxRetriesPreemption, MaxTaskFailures *int32
	// Timeout bounds each attempt, SchedulingTimeout the wait for a task's first. 0: none.
	Timeout, SchedulingTimeout time.Duration
	// Parent is the id of the job this one ends with.
	Parent string
	// Workspace is a directory whose content every task finds in its working directory. Empty: none.
	Workspace string
	// Ports are names; each task finds a free port in IRIS_PORT_<NAME>.
	Ports []string
	// Priority is the band. Unspecified: interactive.
	Priority pb.PriorityBand
	// Exclusive promises that two copies of a task never overlap.
	Exclusive bool
}

// GiB is 2^30 bytes.
const GiB = 1 << 30

// Limit sets a budget, zero included.
func Limit(n int32) *int32 { return &n }

// Command runs a process.
func Command(argv ...string) *pb.Entrypoint {
	return &pb.Entrypoint{Kind: &pb.Entrypoint_Command{Command: &pb.Command{Argv: argv}}}
}

// Function runs a function that is registered in the workers' process.
func Function(name string, args ...string) *pb.Entrypoint {
	return &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: name, Args: args}}}
}

// proto is the wire form. Unset resources get their defaults; everything else is left to the controller to judge.
func (s Spec) proto(sum bundle.Hash) *pb.JobSpec {
	out := &pb.JobSpec{
		Name: s.Name, Entrypoint: s.Entrypoint, Environment: s.Environment, Constraints: s.Constraints,
		Resources:         &pb.Resources{CpuMillis: state.Millis(s.CPU), MemoryBytes: s.Memory},
		MaxRetriesFailure: s.MaxRetriesFailure, MaxRetriesPreemption: s.MaxRetriesPreemption, MaxTaskFailures: s.MaxTaskFailures,
		ParentJobId: s.Parent, BundleSha256: string(sum), Ports: s.Ports, Priority: s.Priority, Exclusive: s.Exclusive,
	}
	if s.CPU == 0 {
		out.Resources.CpuMillis = 1000
	}
	if s.Memory == 0 {
		out.Resources.MemoryBytes = GiB
	}
	if s.Replicas != 0 {
		replicas := int32(s.Replicas)
		out.Replicas = &replicas
	}
	if s.GroupBy != "" {
		out.Coscheduling = &pb.Coscheduling{GroupBy: s.GroupBy}
	}
	if s.Timeout != 0 {
		out.Timeout = durationpb.New(s.Timeout)
	}
	if s.SchedulingTimeout != 0 {
		out.SchedulingTimeout = durationpb.New(s.SchedulingTimeout)
	}
	return out
}

// NewID makes a job id that people can read: the name, as far as an id can hold it, and something random.
func NewID(name string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	return slug[:min(len(slug), 64)] + "-" + strings.ToLower(rand.Text()[:12])
}

// upload packs a workspace and stores it with the controller.
func (c *Client) upload(ctx context.Context, dir string) (bundle.Hash, error) {
	var archive bytes.Buffer
	if err := bundle.Pack(dir, &archive); err != nil {
		return "", fmt.Errorf("workspace %s: %w", dir, err)
	}
	sum := bundle.Of(archive.Bytes())
	_, err := retry(ctx, c, func(ctx context.Context) (*pb.UploadBundleResponse, error) {
		stream, err := c.rpc.UploadBundle(ctx)
		if err != nil {
			return nil, err
		}
		first := &pb.UploadBundleRequest{Sha256: string(sum)}
		for rest := archive.Bytes(); ; {
			n := min(len(rest), network.Chunk)
			first.Data, rest = rest[:n], rest[n:]
			if stream.Send(first) != nil || len(rest) == 0 {
				break // CloseAndRecv has the error
			}
			first = &pb.UploadBundleRequest{}
		}
		return stream.CloseAndRecv()
	})
	return sum, err
}

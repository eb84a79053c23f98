package real

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/acceptance/swarm/oracle"
	"iris/acceptance/swarm/story"
	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// user is somebody who has one of the story's jobs run.
type user struct {
	*teller
	number int
	client *client.Client

	mu    sync.Mutex
	calls []oracle.Call
	// last is the job when it was over, and its tasks; nil before. Only of clusters that forget.
	last  *pb.JobStatus
	tasks []*pb.TaskStatus
	// misses are the looks that found no job.
	misses int
}

// act launches the job, again and stops it if the story says so, and looks at it until it is over: at once, when it could be
// over, and then less and less often.
func (u *user) act(ctx context.Context) {
	j := u.Jobs[u.number]
	var others sync.WaitGroup
	if j.Twice {
		others.Go(func() {
			if u.comes(ctx, u.at()+time.Second) {
				u.launch(ctx)
			}
		})
	}
	if j.Stopped > 0 {
		others.Go(func() {
			if u.comes(ctx, time.Duration(j.Stopped)) {
				u.stop(ctx)
			}
		})
	}
	u.launch(ctx)
	draw := rand.New(rand.NewPCG(u.Seed, uint64(u.number)))
	for pause, over := firstLook, false; !over; pause = min(max(2*pause, time.Duration(j.Runs)), longestPause) {
		over = !wait(ctx, pause+time.Duration(draw.Int64N(int64(pause)))) || u.look(ctx)
	}
	others.Wait()
}

const (
	firstLook    = time.Second
	longestPause = time.Minute
)

// at is when the job is launched.
func (u *user) at() time.Duration { return time.Duration(u.Jobs[u.number].At) }

// comes waits for an instant of the story and reports whether it came before the end.
func (u *user) comes(ctx context.Context, instant time.Duration) bool {
	return wait(ctx, time.Until(u.epoch.Add(instant)))
}

func (u *user) launch(ctx context.Context) {
	defer u.launches.Done()
	u.call(ctx, oracle.Launch, func() (pb.JobState, error) {
		_, err := u.client.Submit(ctx, u.spec())
		return 0, err
	})
}

func (u *user) stop(ctx context.Context) {
	u.call(ctx, oracle.Stop, func() (pb.JobState, error) { return 0, u.job().Terminate(ctx) })
}

// look reports whether there is nothing more to see.
func (u *user) look(ctx context.Context) (over bool) {
	var status *pb.JobStatus
	seen := u.call(ctx, oracle.Status, func() (s pb.JobState, err error) {
		status, err = u.job().Status(ctx)
		return status.GetState(), err
	})
	if seen.State == 0 && !seen.Unknown {
		u.misses++
	}
	over = status.GetState().Over()
	if over && u.forgetful() {
		u.keep(ctx, status)
	}
	return over || u.misses > mostMisses
}

// mostMisses are how often somebody looks for a job that there is not: its launch may be late, or have been refused, or the
// job be forgotten.
const mostMisses = 3

// keep keeps what became of the job, before the cluster forgets it.
func (u *user) keep(ctx context.Context, over *pb.JobStatus) {
	if tasks, err := u.job().Tasks(ctx); err == nil {
		u.last, u.tasks = over, tasks
	}
}

// call makes a call, with all the tries of a client, and notes it.
func (u *user) call(ctx context.Context, kind oracle.CallKind, do func() (pb.JobState, error)) oracle.Call {
	c := oracle.Call{Client: u.number, Kind: kind, Job: story.JobID(u.number), Called: int64(time.Since(u.epoch))}
	seen, err := do()
	c.Returned, c.State = int64(time.Since(u.epoch)), state.State(seen)
	switch code := status.Code(err); {
	case err == nil:
	case ctx.Err() != nil, code == codes.Unavailable, code == codes.DeadlineExceeded:
		c.Unknown = true
	case kind == oracle.Status && code == codes.NotFound:
	case u.mayBeRefused(kind, code):
		c.Refused = true
	default:
		c.Refused = true
		u.wrong(ByClients, "%v: %v", c, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, c)
	return c
}

// mayBeRefused reports whether a call can be refused although nothing is wrong: a launch, because there is no parent, or not
// any more, or another job has its name; a stop, because there is nothing to stop.
func (u *user) mayBeRefused(kind oracle.CallKind, code codes.Code) bool {
	switch j := u.Jobs[u.number]; {
	case kind != oracle.Launch:
		return code == codes.NotFound
	case code == codes.AlreadyExists:
		return j.Name != ""
	default:
		return j.Parent > 0 && (code == codes.FailedPrecondition || code == codes.NotFound)
	}
}

func (u *user) job() *client.Job { return u.client.Job(story.JobID(u.number)) }

// spec is what the job is launched as.
func (u *user) spec() client.Spec {
	p := u.Spec(u.number, "")
	spec := client.Spec{
		ID: story.JobID(u.number), Name: p.Name, Entrypoint: p.Entrypoint, CPU: float64(p.Resources.CpuMillis) / 1000,
		Memory: p.Resources.MemoryBytes, Replicas: int(p.GetReplicas()), GroupBy: p.GetCoscheduling().GetGroupBy(),
		Constraints: p.Constraints, MaxRetriesFailure: p.MaxRetriesFailure, MaxRetriesPreemption: p.MaxRetriesPreemption,
		MaxTaskFailures: p.MaxTaskFailures, Timeout: p.Timeout.AsDuration(), SchedulingTimeout: p.SchedulingTimeout.AsDuration(),
		Parent: p.ParentJobId, Ports: p.Ports, Priority: p.Priority, Exclusive: p.Exclusive,
	}
	if u.Jobs[u.number].Builds {
		spec.Workspace = u.workspace()
	}
	return spec
}

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// Quick is an entrypoint that succeeds at once.
func (c *Cluster) Quick() *pb.Entrypoint { return c.Sleeping(0) }

// Sleeping is an entrypoint that succeeds after d.
func (c *Cluster) Sleeping(d time.Duration) *pb.Entrypoint {
	if c.Mode == Virtual {
		return client.Function("sleep", d.String())
	}
	return client.Command("sleep", strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
}

// Exiting is an entrypoint that exits with a code at once.
func (c *Cluster) Exiting(code int) *pb.Entrypoint {
	if c.Mode == Virtual {
		return client.Function("exit", strconv.Itoa(code))
	}
	return client.Command("sh", "-c", fmt.Sprintf("exit %d", code))
}

// Reading is an entrypoint that succeeds if it finds a file of its workspace, which it logs.
func (c *Cluster) Reading(file string) *pb.Entrypoint {
	if c.Mode == Virtual {
		return client.Function("read", file)
	}
	return client.Command("cat", file)
}

// Stubborn is an entrypoint that lasts d, whoever asks it to stop. Only functions can; a process would be killed.
func (c *Cluster) Stubborn(d time.Duration) *pb.Entrypoint {
	return client.Function("stubborn", d.String())
}

// Counting is an entrypoint that logs the numbers from 1 to n, a line each, and succeeds.
func (c *Cluster) Counting(n int) *pb.Entrypoint {
	if c.Mode == Virtual {
		return client.Function("count", strconv.Itoa(n))
	}
	return client.Command("seq", strconv.Itoa(n))
}

// Alive is how many payloads of a job run: functions by what they say themselves, processes by asking the kernel.
func (c *Cluster) Alive(job *client.Job) int { return c.system.Alive(job.ID) }

// AllAlive is Alive of all jobs together, those that nobody knows of too.
func (c *Cluster) AllAlive() int { return c.system.Alive("") }

// tasks counts the processes of a job, or of all jobs for "", of the cluster with the controller at this address. What a
// process belongs to is in its environment.
func tasks(controller, job string) int {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	n := 0
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		variables := strings.Split(string(text), "\x00")
		if slices.Contains(variables, "IRIS_CONTROLLER_ADDRESS="+controller) &&
			(job == "" || slices.Contains(variables, "IRIS_JOB_ID="+job)) {
			n++
		}
	}
	return n
}

// Began is how many payloads of a job ever began. Only functions, which virtual time has, can tell.
func (c *Cluster) Began(job *client.Job) int { return c.system.(*inProcess).payloads.began(job.ID) }

// payloads counts the functions that run, and those that ever began.
type payloads struct {
	mu             sync.Mutex
	running, begun map[string]int // by job id
}

func newPayloads() *payloads { return &payloads{running: map[string]int{}, begun: map[string]int{}} }

func (p *payloads) began(job string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun[job]
}

func (p *payloads) count(job string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for id, running := range p.running {
		if job == "" || id == job {
			n += running
		}
	}
	return n
}

// functions are the payloads of virtual time.
func (p *payloads) functions() *runtime.Func {
	f := runtime.NewFunc()
	f.Register("sleep", p.counted(func(ctx context.Context, t runtime.FuncTask) error {
		d, err := time.ParseDuration(t.Args[0])
		if err != nil {
			return err
		}
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	f.Register("exit", p.counted(func(_ context.Context, t runtime.FuncTask) error {
		code, err := strconv.Atoi(t.Args[0])
		if err != nil || code == 0 {
			return err
		}
		return runtime.ExitError(code)
	}))
	f.Register("stubborn", p.counted(func(_ context.Context, t runtime.FuncTask) error {
		d, err := time.ParseDuration(t.Args[0])
		time.Sleep(d)
		return err
	}))
	f.Register("count", p.counted(func(_ context.Context, t runtime.FuncTask) error {
		n, err := strconv.Atoi(t.Args[0])
		for i := range n {
			t.Printf("%d", i+1)
		}
		return err
	}))
	f.Register("read", p.counted(func(_ context.Context, t runtime.FuncTask) error {
		text, err := os.ReadFile(filepath.Join(t.Dir, t.Args[0]))
		if err == nil && len(text) == 0 {
			err = errors.New("the file is empty")
		}
		t.Printf("%s", text)
		return err
	}))
	return f
}

func (p *payloads) counted(f func(context.Context, runtime.FuncTask) error) func(context.Context, runtime.FuncTask) error {
	add := func(job string, n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running[job] += n
		p.begun[job] += max(n, 0)
	}
	return func(ctx context.Context, t runtime.FuncTask) error {
		job := t.Env["IRIS_JOB_ID"]
		add(job, 1)
		defer add(job, -1)
		return f(ctx, t)
	}
}

package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	if c.Virtual {
		return client.Function("sleep", d.String())
	}
	return client.Command("sleep", strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
}

// Exiting is an entrypoint that exits with a code at once.
func (c *Cluster) Exiting(code int) *pb.Entrypoint {
	if c.Virtual {
		return client.Function("exit", strconv.Itoa(code))
	}
	return client.Command("sh", "-c", fmt.Sprintf("exit %d", code))
}

// Reading is an entrypoint that succeeds if it finds a file of its workspace, which it logs.
func (c *Cluster) Reading(file string) *pb.Entrypoint {
	if c.Virtual {
		return client.Function("read", file)
	}
	return client.Command("cat", file)
}

// Alive is how many payloads of a job run.
func (c *Cluster) Alive(job *client.Job) int { return c.payloads.alive(job.ID) }

// payloads knows what tasks really run: functions by counting them, processes by asking the kernel.
type payloads struct {
	virtual bool
	mu      sync.Mutex
	running map[string]int // by job id
}

func newPayloads(virtual bool) *payloads {
	return &payloads{virtual: virtual, running: map[string]int{}}
}

// marker is in the environment of every process that a spec's cluster starts.
const marker = "IRIS_JOB_ID="

// alive counts the payloads of a job, or of all jobs.
func (p *payloads) alive(job string) int {
	if !p.virtual {
		return p.processes(job)
	}
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

// processes counts living children of this test process that carry the marker. Parallel processes of the suite have
// children of their own.
func (p *payloads) processes(job string) int {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		panic(err)
	}
	n := 0
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		if bytes.Contains(text, []byte(marker+job)) && p.mine(filepath.Dir(path)) {
			n++
		}
	}
	return n
}

// mine reports whether a process descends from this one: its process group's leader is a child of ours, and only those are
// looked for by job; orphans of this suite keep the marker, too.
func (p *payloads) mine(proc string) bool {
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	parent, err := strconv.Atoi(string(fields[1]))
	return err == nil && string(fields[0]) != "Z" && (parent == os.Getpid() || parent == 1)
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
	}
	return func(ctx context.Context, t runtime.FuncTask) error {
		job := t.Env["IRIS_JOB_ID"]
		add(job, 1)
		defer add(job, -1)
		return f(ctx, t)
	}
}

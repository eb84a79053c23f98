package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
)

// binary is the command under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "iris-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "iris")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the command:", err)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds whatever a test waits for: far more than it takes.
const patience = time.Minute

// booted runs a cluster of two workers with 4 CPU and 16 GiB in this process until the test ends, and returns its address.
func booted(t *testing.T) string {
	t.Helper()
	description, err := config.Parse("local.yaml", local)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{Log: slog.New(slog.DiscardHandler), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return m.Address()
}

// connected is a client of the cluster at an address.
func connected(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// shell is where the command is run: a home without settings, and an environment that has nothing of the tester's.
type shell struct {
	t    *testing.T
	home string
	env  []string
}

// at is a shell whose commands ask the controllers at an address.
func at(t *testing.T, address string) *shell {
	t.Helper()
	s := &shell{t: t, home: t.TempDir()}
	s.env = []string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.home, "TERM=xterm", "LANG=C.UTF-8"}
	if address != "" {
		s.env = append(s.env, "IRIS_CONTROLLER="+address)
	}
	return s
}

// with is the same shell with more variables.
func (s *shell) with(variables ...string) *shell {
	return &shell{t: s.t, home: s.home, env: append(s.env[:len(s.env):len(s.env)], variables...)}
}

func (s *shell) command(args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Env, c.Dir = s.env, s.home
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// result is what became of a command.
type result struct {
	out, err string
	code     int
}

// run runs a command in pipes to its end.
func (s *shell) run(args ...string) result {
	s.t.Helper()
	p := s.start(args...)
	return p.wait()
}

// process is a command that was started.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err *output
	done     chan struct{}
}

// start starts a command in pipes. It is killed when the test ends, if it still runs.
func (s *shell) start(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: s.command(args...), out: newOutput(), err: newOutput(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its state says how it ended
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error: it has ended
		<-p.done
	})
	return p
}

// wait waits for the end.
func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%v has not ended\nout:\n%s\nerr:\n%s", p.cmd.Args, p.out, p.err)
	}
	return result{p.out.String(), p.err.String(), p.cmd.ProcessState.ExitCode()}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// output is a stream that can be waited on.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{} // sent to after a write
}

func newOutput() *output { return &output{news: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.news <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// until waits for a text that matches.
func (o *output) until(t *testing.T, pattern string) string {
	t.Helper()
	want, limit := regexp.MustCompile(pattern), time.After(patience)
	for {
		if found := want.FindString(o.String()); found != "" {
			return found
		}
		select {
		case <-o.news:
		case <-limit:
			t.Fatalf("%q does not come; there is\n%s", pattern, o)
		}
	}
}

// steady replaces what differs from run to run: ids, times, addresses.
func steady(text string) string {
	for _, r := range [...][2]string{
		{`([a-z]+)-[a-z2-7]{12}\b`, `$1-ID`},
		{`\b(after|for|within) ([0-9]+m)?[0-9.]+m?s\b`, `$1 TIME`},
		{`(?m)^iris: (BUILDING|RUNNING)(: [0-9].*)?\n`, ``}, // whether one of them is seen is a matter of time
		{`127\.0\.0\.1:(1|[0-9]{5})\b`, `ADDRESS`},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return text
}

// expect compares a result with what it should be; texts are steady.
func (r result) expect(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	if got := steady(r.out); got != out {
		t.Errorf("standard output is\n%s\nwant\n%s", got, out)
	}
	if got := steady(r.err); got != err {
		t.Errorf("standard error is\n%s\nwant\n%s", got, err)
	}
	noGRPC(t, r.out+r.err)
}

// noGRPC sees to it that nobody has to read what gRPC says to programs.
func noGRPC(t *testing.T, text string) {
	t.Helper()
	for _, never := range []string{"rpc error", "code = ", "desc = ", "context canceled"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is for programs:\n%s", never, text)
		}
	}
}

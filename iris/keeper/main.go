package keeper

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Main is Run for the process that a worker starts as its keeper: it also tells the worker when it is ready, or why it
// never will be.
func Main(ctx context.Context, config Config) error {
	told := false
	tell := func(text string) {
		if told || os.Getenv(readyVariable) == "" {
			return
		}
		told = true
		ready := os.NewFile(readyDescriptor, "ready")
		_, _ = io.WriteString(ready, text) // a worker that is gone needs no answer
		_ = ready.Close()
	}
	ready := config.Ready
	config.Ready = func() {
		tell(readyText)
		if ready != nil {
			ready()
		}
	}
	err := Run(ctx, config)
	if err != nil {
		tell(err.Error())
	}
	return err
}

// How a keeper tells the process that started it that it is ready: through a pipe, which its environment announces.
const (
	readyVariable   = "IRIS_KEEPER_READY"
	readyDescriptor = 3
	readyText       = "ready"
	readyPatience   = 20 * time.Second
)

const (
	outputName = "keeper.log"
	outputMost = 1 << 20 // bytes, beyond which what a keeper says begins anew with the next one
)

// spawn starts a keeper: this very program, in a session of its own, so that nothing that is meant for this process
// reaches it. It returns once workers can attach.
func spawn(ctx context.Context, o Options) (*exec.Cmd, error) {
	if err := prepare(o.Dir); err != nil {
		return nil, err
	}
	output, err := openOutput(filepath.Join(o.Dir, outputName))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path: executable(), Args: append([]string{os.Args[0], "keeper", "--dir", o.Dir}, o.Args...),
		Env: environment(), Dir: "/", Stdout: output, Stderr: output, ExtraFiles: []*os.File{w},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	_ = w.Close() // the keeper has its own
	if err != nil {
		return nil, err
	}
	said, err := await(ctx, r)
	if err == nil && said == readyText {
		return cmd, nil
	}
	if said == "" {
		said = fmt.Sprintf("it said nothing (%v)", err)
	}
	_ = cmd.Process.Kill() // it runs nothing yet
	_ = cmd.Wait()         // says how it died, which was just done to it
	return nil, fmt.Errorf("the keeper was started and did not come up: %s (its output is in %s)", said, output.Name())
}

// await reads what a new keeper says.
func await(ctx context.Context, r *os.File) (string, error) {
	deadline := time.Now().Add(readyPatience)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	if err := r.SetReadDeadline(deadline); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, 16<<10))
	return strings.TrimSpace(string(text)), err
}

// executable is this program even if its file has been replaced by a newer one meanwhile.
func executable() string {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// environment is what a keeper gets: what a shell needs to be found, and what steers the Go runtime. What its tasks
// inherit comes with their orders, from the worker that gives them.
func environment() []string {
	env := []string{readyVariable + "=1"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case name == "PATH", name == "TMPDIR", strings.HasPrefix(name, "GO"):
			env = append(env, v)
		}
	}
	return env
}

func openOutput(path string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > outputMost {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}

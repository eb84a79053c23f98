package localvm_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"iris/iris/client"
	"iris/iris/localvm"
	"iris/iris/vm"
)

// Real workers run jobs on slices. One is killed, one is terminated: its keeper and its task, each in a session of its own, go
// with it.
func TestIris(t *testing.T) {
	h := newHost(t)
	binary := filepath.Join(t.TempDir(), "iris")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "iris/iris/cmd/iris").CombinedOutput(); err != nil {
		t.Fatalf("build the iris command: %v\n%s", err, out)
	}
	address := controller(t, binary)
	c := h.config("")
	c.Grace = 2 * time.Minute
	c.Command = func(m localvm.Machine) *exec.Cmd {
		cmd := exec.Command(binary, "worker", "--controller", address, "--id", m.VM.WorkerID, "--attribute", "slice="+m.Slice,
			"--data-dir", filepath.Join(m.Dir, "data"), "--cpu", "1", "--memory", "1GiB", "--drain-timeout", "100ms")
		cmd.Env = withoutSettings()
		return cmd
	}
	m := h.open(c)
	user, err := client.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := user.Close(); err != nil {
			t.Error(err)
		}
	})
	for id, end := range map[string]func(vm.Slice){
		"cpu-0": func(s vm.Slice) {
			if err := syscall.Kill(h.pid(s.ID(), 0), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			becomes(t, s, 0, vm.Preempted)
		},
		"cpu-1": func(s vm.Slice) {
			began := time.Now()
			h.terminate(s)
			if took := time.Since(began); took > c.Grace/2 {
				t.Errorf("it took %v: the worker did not end by itself", took)
			}
			wantStates(t, s, vm.Terminated)
		},
	} {
		s := h.create(m, id)
		job, err := user.Submit(t.Context(), client.Spec{
			Name: "task", Memory: client.GiB / 2, Entrypoint: client.Command("sh", "-c", `echo $$ > "$TMPDIR/task"; sleep 1000 & wait`),
		})
		if err != nil {
			t.Fatal(err)
		}
		task := h.number(id, "vm-0", "tmp", "task")
		keeper, err := unix.Getsid(task)
		if err != nil || keeper == h.pid(id, 0) {
			t.Fatalf("the task is in session %d, %v, which is not that of a keeper", keeper, err)
		}
		if left := len(h.running()); left < 4 { // worker, keeper, task, its child; and guards
			t.Errorf("%d processes run", left)
		}
		end(s)
		for _, pid := range []int{keeper, task} {
			if runs(pid) {
				t.Errorf("%d runs: %s", pid, command(pid))
			}
		}
		h.nothingRuns()
		h.terminate(s)
		if err := job.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
	}
	h.nothingLeft()
}

// withoutSettings is an environment in which nobody's settings steer a daemon.
func withoutSettings() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IRIS_") })
}

// controller runs one until the test is over, and returns its address.
func controller(t *testing.T, binary string) string {
	t.Helper()
	cmd := exec.Command(binary, "controller", "--ephemeral", "--listen", "127.0.0.1:0")
	cmd.Env = withoutSettings()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "serves at ")
	if !found {
		t.Fatalf("the controller said %q, %v", line, err)
	}
	return address
}

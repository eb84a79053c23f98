package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that is told to end waits for what it runs, and is waited for no longer than its flag says.
func TestAWorkerDrainsOnSIGTERM(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0")
	s = s.with("IRIS_CONTROLLER=" + c.ready())
	flag := filepath.Join(s.home, "go")
	start := func(args ...string) *process {
		w := s.start(append([]string{"worker", "--id", "w-0", "--cpu", "1", "--memory", "1GiB", "--poll-interval", "100ms"}, args...)...)
		w.ready()
		return w
	}
	w := start()
	job := s.start("job", "run", "--name", "long", "--", "sh", "-c", "until [ -e "+flag+" ]; do sleep 0.1; done; echo done")
	job.err.until(t, "iris: RUNNING")
	w.signal(syscall.SIGTERM)
	w.err.until(t, "worker drains")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := job.wait(); got.code != 0 || got.out != "done\n" {
		t.Errorf("the job: exit code %d\n%s\n%s", got.code, got.out, got.err)
	}
	if got := w.wait(); got.code != 0 {
		t.Errorf("the worker: exit code %d\n%s", got.code, got.err)
	}

	w = start("--drain-timeout", "100ms")
	job = s.start("job", "run", "--name", "endless", "--max-retries-preemption", "0", "--", "sleep", "1000")
	job.err.until(t, "iris: RUNNING")
	w.ends(syscall.SIGTERM)
	if got := job.wait(); got.code != exitLost || !strings.Contains(got.err, "worker w-0 was drained") {
		t.Errorf("the job that lasts too long: exit code %d\n%s", got.code, got.err)
	}

	w = start()
	job = s.start("job", "run", "--name", "endless", "--", "sleep", "1000")
	job.err.until(t, "iris: RUNNING")
	w.signal(syscall.SIGTERM)
	w.err.until(t, "worker drains")
	for again := true; again; { // at once, if the first one was dealt with
		w.signal(syscall.SIGTERM)
		select {
		case <-w.done:
			again = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	if got := w.wait(); got.code != -1 {
		t.Errorf("after a second signal: exit code %d\n%s", got.code, got.err)
	}
	job.signal(syscall.SIGINT)
	job.wait()
	c.ends(syscall.SIGTERM)
}

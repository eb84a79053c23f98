package runtime

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// relatives are a shell, the leader of a session, and processes that it has started: one that is marked by its TMPDIR, below
// dir, in a session of its own; one that is marked and has a child that is not, in yet another session; one in the shell's
// session, and one in its own, which are both marked with a directory that dir is only the beginning of.
type relatives struct {
	shell *exec.Cmd
	dir   string
	pids  map[string]int
}

func newRelatives(t *testing.T) relatives {
	t.Helper()
	r := relatives{dir: t.TempDir(), pids: map[string]int{}}
	r.shell = exec.Command("sh", "-c", `
		TMPDIR=$0/vm-0/tmp setsid sleep 1000 & echo marked $!
		TMPDIR=$0 setsid sh -c 'TMPDIR=/ setsid sleep 1000 & echo child $!; echo parent $$; wait' &
		TMPDIR=$0-not sleep 1000 & echo member $!
		TMPDIR=$0-not setsid sleep 1000 & echo stranger $!
		echo end 1; wait`, r.dir)
	r.shell.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=/"}
	r.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := r.shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.shell.Start(); err != nil {
		t.Fatal(err)
	}
	r.pids["shell"] = r.shell.Process.Pid
	t.Cleanup(func() {
		for _, pid := range r.pids {
			if runs(strconv.Itoa(pid)) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = r.shell.Wait() // it was killed
	})
	for range 6 {
		var name string
		var pid int
		if _, err := fmt.Fscanln(out, &name, &pid); err != nil {
			t.Fatal(err)
		}
		if name != "end" {
			r.pids[name] = pid
		}
	}
	for name, want := range map[string]string{
		"marked": r.dir + "/vm-0/tmp", "parent": r.dir, "child": "/", "member": r.dir + "-not", "stranger": r.dir + "-not",
	} {
		within(t, 10*time.Second, name+" has begun", func() bool {
			environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.pids[name]))
			return err == nil && slices.Contains(strings.Split(string(environ), "\x00"), "TMPDIR="+want)
		})
	}
	return r
}

// family asks twice, as one should.
func (r relatives) family(t *testing.T, known ...ID) []string {
	t.Helper()
	var names []string
	for range 2 {
		ids, err := Family(r.dir, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			found := false
			for name, pid := range r.pids {
				if pid == id.PID && id == idOf(t, strconv.Itoa(pid)) {
					found = true
					names = append(names, name)
				}
			}
			if !found {
				t.Errorf("%+v is in the family", id)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestFamilyIsWhoeverBelongsTogether(t *testing.T) {
	r := newRelatives(t)
	shell := idOf(t, strconv.Itoa(r.pids["shell"]))
	earlier := ID{PID: shell.PID, From: shell.From - 2, To: shell.From - 1}
	for _, c := range []struct {
		name  string
		known []ID
		want  []string
	}{
		{"by TMPDIR alone", nil, []string{"child", "marked", "parent"}},
		{"known by another start", []ID{earlier, {}}, []string{"child", "marked", "parent"}},
		{"and what is known", []ID{shell}, slices.Sorted(maps.Keys(r.pids))},
	} {
		if got := r.family(t, c.known...); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	// Its parent is gone, and itself neither marked nor known: it is lost. Who is in the session of the shell is not.
	if err := shell.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := idOf(t, strconv.Itoa(r.pids["parent"])).Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "both are gone", func() bool {
		return !runs(strconv.Itoa(r.pids["parent"])) && !runs(strconv.Itoa(shell.PID))
	})
	if _, exit, err := shell.Poll(); exit == nil || err != nil { // so that its number is free
		t.Fatal(exit, err)
	}
	if got, want := r.family(t, shell), []string{"marked", "member"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	child := idOf(t, strconv.Itoa(r.pids["child"]))
	if got, want := r.family(t, shell, child), []string{"child", "marked", "member"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPollReapsAChildOnce(t *testing.T) {
	for script, want := range map[string]Exit{
		"exit 0":        {},
		"exit 3":        {Code: 3},
		"kill -KILL $$": {Code: 137, Signal: syscall.SIGKILL},
	} {
		cmd := exec.Command("sh", "-c", "read -r _; "+script)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		id, err := Of(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Release(); err != nil {
			t.Fatal(err)
		}
		other := ID{PID: id.PID, From: id.From + 1, To: id.To + 1}
		if runs, exit, err := id.Poll(); !runs || exit != nil || err != nil {
			t.Errorf("before its end: %v, %v, %v", runs, exit, err)
		}
		if runs, exit, err := other.Poll(); runs || exit != nil || err != nil {
			t.Errorf("one of its number: %v, %v, %v", runs, exit, err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		var got *Exit
		within(t, 10*time.Second, "it has ended", func() bool {
			runs, exit, err := id.Poll()
			if err != nil {
				t.Fatal(err)
			}
			got = exit
			return !runs
		})
		if got == nil || *got != want {
			t.Errorf("%s: got %+v, want %+v", script, got, want)
		}
		if runs, exit, err := id.Poll(); runs || exit != nil || err != nil || exists(strconv.Itoa(id.PID)) {
			t.Errorf("a second time: %v, %v, %v", runs, exit, err)
		}
	}
	if runs, exit, err := (ID{}).Poll(); runs || exit != nil || err != nil {
		t.Errorf("no process at all: %v, %v, %v", runs, exit, err)
	}
}

// The end of a process that is not this one's child is seen, and left to its parent.
func TestPollLeavesOthersChildren(t *testing.T) {
	s := newSession(t, false)
	child := idOf(t, s.child)
	if runs, exit, err := child.Poll(); !runs || exit != nil || err != nil {
		t.Errorf("before its end: %v, %v, %v", runs, exit, err)
	}
	if err := child.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "its end is seen", func() bool {
		runs, exit, err := child.Poll()
		if exit != nil || err != nil {
			t.Fatalf("got %v, %v", exit, err)
		}
		return !runs
	})
}

func TestKillLeavesOthersAlone(t *testing.T) {
	s := newSession(t, false)
	for _, id := range []ID{
		{}, {PID: 1}, {PID: s.leader.PID}, {PID: s.leader.PID, From: s.leader.From + 1, To: s.leader.To + 1},
		{PID: s.leader.PID, From: s.leader.From - 2, To: s.leader.From - 1}, {PID: 1 << 22, To: 1 << 60},
	} {
		if err := id.Kill(); err != nil {
			t.Errorf("%+v: %v", id, err)
		}
	}
	if err := s.id.Kill(); err != nil { // the test can tell
		t.Error(err)
	}
	within(t, 10*time.Second, "the end of the session's leader", func() bool { return !runs(strconv.Itoa(s.id.PID)) })
	if !runs(strconv.Itoa(s.leader.PID)) || !runs(s.child) {
		t.Error("an innocent process is dead")
	}
}

// An error is not the answer that there is none: that would be another life of the machine, in which nothing of this one runs.
func TestAProcessWithoutDescriptorsDoesNotTakeTheMachineForRestarted(t *testing.T) {
	boot, err := Boot()
	if again, errAgain := Boot(); boot == "" || again != boot || err != nil || errAgain != nil {
		t.Errorf("the machine is in life %q (%v), then in %q (%v)", boot, err, again, errAgain)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	boot, err = Boot()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("without descriptors it is in life %q (%v)", boot, err)
	}
}

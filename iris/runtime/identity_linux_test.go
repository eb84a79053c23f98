package runtime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIdentityIsTheCommandsOwn(t *testing.T) {
	r := process(t)
	for range 20 {
		task, pid, _ := ready(t, r, shell("echo $$; exec sleep 1000"))
		id, ok := Identity(task)
		s, runs := statusOf(pid)
		if !ok || !runs || !id.is(s) || id.To-id.From > 100 {
			t.Errorf("%+v, %v is not what /proc says: %+v", id, ok, s)
		}
		task.Stop(0)
		end(t, task)
	}
	if id, ok := Identity(start(t, function(func(context.Context, FuncTask) error { return nil }), Spec{Func: "f"})); ok {
		t.Errorf("a function is process %+v", id)
	}
}

// leadSession makes this test binary the leader of a session that starts a group in it and waits to be killed.
const leadSession = "session"

func leadUntilKilled() {
	leader := exec.Command("sh", "-c", `sleep 1000 & echo $$ $!; [ "$0" = ends ] || wait`, os.Args[1])
	leader.Stdout = os.Stdout
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := leader.Start(); err != nil {
		panic(err)
	}
	_ = leader.Wait() // as its argument says
	select {}
}

// session has a group in it: a leader, maybe gone, and its child.
type session struct {
	id, leader ID
	child      string
}

func newSession(t *testing.T, leaderEnds bool) session {
	t.Helper()
	how := "stays"
	if leaderEnds {
		how = "ends"
	}
	first := exec.Command(os.Args[0], how)
	first.Env = append(os.Environ(), asWorker+"="+leadSession)
	first.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	var s session
	var leader string
	t.Cleanup(func() {
		_ = first.Process.Kill()
		for _, pid := range []string{leader, s.child} {
			if n, err := strconv.Atoi(pid); err == nil && runs(pid) {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
		_ = first.Wait() // it was killed
	})
	if _, err := fmt.Fscanln(out, &leader, &s.child); err != nil {
		t.Fatal(err)
	}
	s.id = idOf(t, strconv.Itoa(first.Process.Pid))
	if !leaderEnds {
		s.leader = idOf(t, leader)
		return s
	}
	within(t, 10*time.Second, "the end of the leader", func() bool { return !exists(leader) })
	pid, err := strconv.Atoi(leader)
	if err != nil {
		t.Fatal(err)
	}
	s.leader = ID{PID: pid, From: s.id.From, To: ticks()}
	return s
}

func exists(pid string) bool {
	_, ok := statusOf(pid)
	return ok
}

func idOf(t *testing.T, pid string) ID {
	t.Helper()
	s, ok := statusOf(strings.TrimSpace(pid))
	if !ok {
		t.Fatalf("process %s does not exist", pid)
	}
	return ID{PID: s.pid, From: s.started, To: s.started}
}

func TestKillGroupKillsWhatIsLeft(t *testing.T) {
	for name, leaderEnds := range map[string]bool{"a leader and its child": false, "the child of a leader that is gone": true} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, leaderEnds)
			if !s.leader.KillGroup(s.id) {
				t.Error("nothing was left")
			}
			within(t, 10*time.Second, "nothing is left", func() bool { return !s.leader.KillGroup(s.id) })
			if runs(s.child) {
				t.Error("the child runs")
			}
		})
	}
}

// Whoever has been given the number of a process that is gone must not die for it.
func TestKillGroupLeavesOthersAlone(t *testing.T) {
	later := func(id ID) ID { return ID{PID: id.PID, From: id.From + 1, To: id.To + 1} }
	sooner := func(id ID) ID { return ID{PID: id.PID, From: id.From - 2, To: id.From - 1} }
	for _, c := range []struct {
		name       string
		leaderEnds bool
		kill       func(session) (group, session ID)
	}{
		{"a leader that was started later", false, func(s session) (ID, ID) { return sooner(s.leader), s.id }},
		{"a leader that was started sooner", false, func(s session) (ID, ID) { return later(s.leader), s.id }},
		{"without a start", false, func(s session) (ID, ID) { return ID{PID: s.leader.PID}, s.id }},
		{"no process at all", false, func(s session) (ID, ID) { return ID{}, s.id }},
		{"children in another session", true, func(s session) (ID, ID) { return s.leader, ID{s.id.PID + 1, s.id.From, s.id.To} }},
		{"children in a session of another with its number", true, func(s session) (ID, ID) { return s.leader, sooner(s.id) }},
		{"children in no known session", true, func(s session) (ID, ID) { return s.leader, ID{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.leaderEnds)
			group, session := c.kill(s)
			if group.KillGroup(session) {
				t.Error("something was taken for what is left")
			}
			if !runs(s.child) {
				t.Error("an innocent child is dead")
			}
			if !s.leader.KillGroup(s.id) { // the test can tell
				t.Error("the true group was not found either")
			}
		})
	}
}

func TestSelfIsThisProcess(t *testing.T) {
	self, leader, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	sid, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	if self != idOf(t, strconv.Itoa(syscall.Getpid())) || leader != (sid == self.PID) {
		t.Errorf("got %+v, %v", self, leader)
	}
}

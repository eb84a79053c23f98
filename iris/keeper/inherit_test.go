package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/iris/runtime"
)

// A process that was given the number of one of ours, after ours was gone, must not die for it.
func TestAProcessWithARecycledNumberIsLeftAlone(t *testing.T) {
	innocent := exec.Command("sleep", "1000")
	innocent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = innocent.Process.Kill()
		_ = innocent.Wait() // it was killed
	}()
	self, err := identify()
	if err != nil {
		t.Fatal(err)
	}
	k := newAttempts(nil)
	p := past{keeper: self, attempts: map[string]*entry{
		// Started long before the innocent one was.
		"a": {UID: "a", Process: &runtime.ID{PID: innocent.Process.Pid, From: self.Process.From - 100, To: self.Process.From - 90}},
	}}
	k.inherit(p, self, quiet)
	k.awaitGone(10 * time.Second)
	if a := k.held["a"]; a.phase != lost {
		t.Errorf("it is %v", a.phase)
	}
	if err := syscall.Kill(innocent.Process.Pid, 0); err != nil {
		t.Errorf("the innocent process: %v", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", innocent.Process.Pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		t.Errorf("the innocent process is dead: %s, %v", stat, err)
	}
}

// What guard and kernel should have killed, and did not, is killed by the next keeper.
func TestWhatIsLeftOfAnAttemptIsKilled(t *testing.T) {
	for name, boot := range map[string]string{"": "", "after a restart of the machine": "another"} {
		left := exec.Command("sh", "-c", "sleep 1000 & wait")
		left.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := left.Start(); err != nil {
			t.Fatal(err)
		}
		self, err := identify()
		if err != nil {
			t.Fatal(err)
		}
		then := self
		then.Boot += boot
		k := newAttempts(nil)
		k.inherit(past{keeper: then, attempts: map[string]*entry{
			"a": {UID: "a", Process: &runtime.ID{PID: left.Process.Pid, From: self.Process.From, To: 1 << 60}},
		}}, self, quiet)
		if boot != "" { // the same numbers mean nothing
			if a := k.held["a"]; a.phase != lost {
				t.Errorf("%s it is %v", name, a.phase)
			}
			if err := syscall.Kill(-left.Process.Pid, syscall.SIGKILL); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			_ = left.Wait() // it was killed
			continue
		}
		_ = left.Wait() // it was killed
		k.awaitGone(10 * time.Second)
		if a := k.held["a"]; a.phase != lost {
			t.Errorf("it is %v", a.phase)
		}
		if k.held["a"].id.KillGroup(*self.session()) {
			t.Error("something is left")
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"iris/chaos"
	"iris/iris/view"
)

// leavesNothing sees to it that a shell's home, where temporary files go too, is empty.
func (s *shell) leavesNothing() {
	s.t.Helper()
	left, err := os.ReadDir(s.home)
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

// A pipe gets the story without pauses, and the same seed tells the same one. Renew with -rewrite.
func TestTheDemoHolds(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, "testdata/demo", func(t *testing.T, d *datadriven.TestData) string {
		s := at(t, "")
		began := time.Now()
		got := s.run("chaos", "demo", "--seed", "3")
		if took := time.Since(began); got.code != 0 || got.err != "" || took > patience {
			t.Errorf("exit code %d after %v\n%s", got.code, took, got.err)
		}
		s.leavesNothing()
		times := regexp.MustCompile(`[0-9.]+m?s  yes`).ReplaceAllString(still(got.out), "TIME  yes")
		return regexp.MustCompile(`(falls silent  )[0-9]+`).ReplaceAllString(times, "${1}MANY")
	})
}

func TestCtrlCEndsTheDemoAndItsCluster(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	p := s.start("chaos", "demo")
	p.out.until(t, "injected  worker.heartbeat") // a task that would sleep for long runs now
	p.signal(syscall.SIGINT)
	got := p.wait()
	if got.code != exitInterrupted || got.err != "iris: interrupted\n" || strings.Contains(got.out, "broke  ") {
		t.Errorf("exit code %d\n%s\n%s", got.code, got.out, got.err)
	}
	s.leavesNothing()
}

// What does not hold is said, and what comes after it is played all the same.
func TestADemoThatDoesNotHoldIsAnError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{out: &out, now: time.Now}
	d := &demo{app: a, client: connected(t, booted(t)), rules: chaos.In("nothing is armed here"), acts: []act{
		{"The sky falls", func(context.Context, *demo) (view.Act, error) { return view.Act{Attempts: 1}, errors.New("it fell") }},
		{"It does not", func(context.Context, *demo) (view.Act, error) { return view.Act{Faults: 1, Attempts: 1}, nil }},
	}}
	err := d.play(t.Context())
	if err == nil || err.Error() != "1 of 2 did not hold" || exitCode(err) != exitError {
		t.Errorf("the error is %v", err)
	}
	want := "\n#  FAULT          STRUCK  ATTEMPTS  TOOK  HELD  WHY NOT\n1  The sky falls       0         1  TIME  no    it fell\n2  It does not         1         1  TIME  yes\n"
	if got := regexp.MustCompile(` [0-9]m?s `).ReplaceAllString(out.String(), "TIME "); !strings.HasSuffix(got, want) || !strings.Contains(got, "broke     it fell\n") {
		t.Errorf("it says\n%s\nwant at the end%s", got, want)
	}
}

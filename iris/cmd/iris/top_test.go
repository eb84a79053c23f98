package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTopWithoutATerminalLooksOnce(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "run", "--id", "huge-1", "--cpu", "99", "--no-wait", "--", "true")
	want := `CLOCK  1 controller: c-0 leads
CPU  ░░░░░░░░░░░░░░░░░░░░ 0 of 8 CPU
MEMORY ░░░░░░░░░░░░░░░░░░░░ 0 B of 32 GiB
2 workers: 2 LIVE
1 job: 1 PENDING; 0 tasks run, 1 wait

WORKER  STATE  HEARD  CPU  MEMORY  TASKS  TIMES LOST
w-0  LIVE  TIME ago  0/4  ░░░░░░░░░░  0/16 GiB  ░░░░░░░░░░  0
w-1  LIVE  TIME ago  0/4  ░░░░░░░░░░  0/16 GiB  ░░░░░░░░░░  0

JOB  STATE  DONE  RUN  RETRIES  AGE  WAITS
huge-1  PENDING  0/1  ░░░░░░░░░░  0  TIME  needs 99 CPU, the largest worker w-0 has 4 CPU; 2 workers
`
	if got := s.run("top"); got.code != 0 || got.err != "" || still(got.out) != want {
		t.Errorf("exit code %d\n%s\n%s\nwant\n%s", got.code, got.err, still(got.out), want)
	}
	var found struct{ Controllers, Workers, Jobs []map[string]any }
	got := s.run("top", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &found); err != nil || len(found.Controllers) != 1 || len(found.Workers) != 2 || len(found.Jobs) != 1 {
		t.Errorf("as JSON: %v, %+v", err, got)
	}
	s.run("top", "x").expect(t, exitUsage, "", "iris: `iris top` does not know what to do with \"x\"\niris: see `iris top --help`\n")
}

// A play that panics leaves the screen before anybody reads why.
func TestAPanicLeavesTheScreen(t *testing.T) {
	var out bytes.Buffer
	defer func() {
		if p := recover(); p != "on stage" || !strings.HasSuffix(out.String(), "\x1b[?1049l") {
			t.Errorf("it panics with %v, after %q", p, out.String())
		}
	}()
	a := &app{in: strings.NewReader(""), out: &out, now: time.Now}
	_ = a.onStage(t.Context(), func(context.Context, *stage) error { panic("on stage") })
}

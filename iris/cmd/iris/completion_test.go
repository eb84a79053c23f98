package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

// offers are what the shell is offered for a line whose last word is being typed.
func offers(s *shell, line ...string) []string {
	s.t.Helper()
	got := s.run(append([]string{"__complete"}, line...)...)
	var words []string
	for line := range strings.Lines(got.out) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, ":") {
			words = append(words, line)
		}
	}
	return words
}

func TestCompletionKnowsWhatTheClusterHas(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "run", "--id", "done-1", "--name", "done", "--", "true")
	s.run("job", "run", "--id", "waits-1", "--name", "waits", "--no-wait", "--cpu", "99", "--", "true")
	for _, c := range []struct {
		line string
		want []string
	}{
		{"job status ", []string{"done-1\tdone SUCCEEDED", "waits-1\twaits PENDING"}},
		{"job status w", []string{"waits-1\twaits PENDING"}},
		{"job status done-1 ", nil},
		{"job stop ", []string{"waits-1\twaits PENDING"}},
		{"job attach ", []string{"waits-1\twaits PENDING"}},
		{"job logs d", []string{"done-1\tdone SUCCEEDED"}},
		{"task list d", []string{"done-1\tdone SUCCEEDED"}},
		{"job run --parent ", []string{"waits-1\twaits PENDING"}},
		{"job run --priority ", []string{"production", "interactive", "batch"}},
		{"worker list ", []string{"w-0\tLIVE", "w-1\tLIVE"}},
		{"worker list -o ", []string{"table", "wide", "json"}},
		{"job list --state ", []string{"pending", "building", "running", "succeeded", "failed", "killed", "worker_failed", "unschedulable"}},
		{"chaos enable --target w-1", []string{"w-1\tLIVE"}},
		{"auth issue w", []string{"worker"}},
		{"job l", []string{"list\tList jobs, the oldest first", "logs\tShow what a job has written"}},
	} {
		words := strings.Split(c.line, " ")
		if got := offers(s, words...); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q offers %q, want %q", c.line, got, c.want)
		}
	}
}

// A shell does not hang, and shows no errors, whatever is at the other end.
func TestCompletionGivesUpAfterASecond(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, address := range []string{silent.Addr().String(), "127.0.0.1:1"} {
		s, began := at(t, address), time.Now()
		if got := s.run("__complete", "job", "status", ""); got.code != 0 || strings.Contains(got.out+got.err, "iris:") {
			t.Errorf("%s: %+v", address, got)
		}
		if took := time.Since(began); took > 5*time.Second { // a second, and what a busy machine adds
			t.Errorf("%s: it took %v", address, took)
		}
	}
}

func TestCompletionScriptsAreWritten(t *testing.T) {
	t.Parallel()
	for _, sh := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := at(t, "").run("completion", sh); got.code != 0 || !strings.Contains(got.out, "iris") {
			t.Errorf("%s: exit code %d, %d bytes\n%s", sh, got.code, len(got.out), got.err)
		}
	}
}

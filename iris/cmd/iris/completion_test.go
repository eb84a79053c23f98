package main

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	pb "iris/iris/proto"
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
		{"job explain d", []string{"done-1\tdone SUCCEEDED"}},
		{"job explain done-1 ", nil},
		{"top -o ", []string{"table", "json"}},
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

// What is gone is offered where it counts, and groups stand as the tables say.
func TestCompletionKnowsWhatTheFleetHad(t *testing.T) {
	fleet := &pb.GetFleetResponse{
		Groups: []*pb.ScaleGroupStatus{
			{Name: "new"}, {Name: "full", Availability: pb.ScaleGroupStatus_AVAILABILITY_AT_MAX},
			{Name: "left", Availability: pb.ScaleGroupStatus_AVAILABILITY_AT_MAX, Removed: true},
		},
		Slices: []*pb.SliceStatus{{SliceId: "full-1", Group: "full", State: pb.VmState_VM_STATE_READY}},
		Events: []*pb.SliceEvent{{SliceId: "full-0", Group: "full"}, {SliceId: "old-0", Group: "old"}, {SliceId: "full-1", Group: "full"}},
	}
	for _, c := range []struct {
		name string
		got  []string
		want []string
	}{
		{"groups", offerGroups(fleet), []string{"new\tscale group", "full\tscale group AT_MAX", "left\tscale group REMOVED"}},
		{"the past", offerPast(fleet), []string{
			"new\tscale group", "full\tscale group AT_MAX", "left\tscale group REMOVED", "old", "full-1\tREADY", "full-0", "old-0",
		}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

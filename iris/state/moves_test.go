package state

import (
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"

	pb "iris/iris/proto"
)

var tables = map[string]Moves{"job": JobMoves, "task": TaskMoves, "attempt": AttemptMoves}

// foreign are the states that a thing is never in.
var foreign = map[string][]State{
	"job":     {Assigned, CoschedFailed},
	"task":    nil,
	"attempt": {Pending, Unschedulable},
}

func TestEveryStateIsInEveryTableItBelongsTo(t *testing.T) {
	for name, moves := range tables {
		for _, s := range States {
			in := len(moves[s]) > 0
			for _, targets := range moves {
				in = in || slices.Contains(targets, s)
			}
			if want := !slices.Contains(foreign[name], s); in != want {
				t.Errorf("%v is in the table of a %s: %v, not %v", s, name, in, want)
			}
		}
	}
}

func TestTerminalStatesAreThoseWithoutMoves(t *testing.T) {
	for name, moves := range tables {
		for _, s := range States {
			if slices.Contains(foreign[name], s) {
				continue
			}
			if s.Terminal() != (len(moves[s]) == 0) {
				t.Errorf("a %s that is %v, terminal: %v, has the moves %v", name, s, s.Terminal(), moves[s])
			}
		}
	}
}

func TestNoMoveIsListedTwiceOrLeadsNowhere(t *testing.T) {
	for name, moves := range tables {
		for from, targets := range moves {
			for i, to := range targets {
				if to == State(from) || slices.Contains(targets[:i], to) {
					t.Errorf("a %s moves from %v to %v %v", name, State(from), targets[:i], to)
				}
			}
		}
	}
}

func TestStatesAreThoseOfTheWire(t *testing.T) {
	if got, want := len(States)+1, len(pb.TaskState_name); got != want {
		t.Errorf("%d states with UNSPECIFIED, the wire has %d", got, want)
	}
	for _, s := range States {
		if got := "TASK_STATE_" + s.String(); pb.TaskState_value[got] != int32(s) {
			t.Errorf("%d is %s here, which is %d on the wire", s, got, pb.TaskState_value[got])
		}
		if number, ok := pb.JobState_value["JOB_STATE_"+s.String()]; ok && number != int32(s) {
			t.Errorf("%v is %d for tasks and %d for jobs", s, s, number)
		}
	}
	if got := State(10).String(); got != "State(10)" {
		t.Errorf("a reserved number is %q", got)
	}
}

func TestAnIllegalMovePanicsAndChangesNothing(t *testing.T) {
	s := Succeeded
	defer func() {
		want := IllegalMoveError{What: "attempt j/0/0", From: Succeeded, To: Running}
		err, ok := recover().(*IllegalMoveError)
		if !ok || *err != want || s != Succeeded {
			t.Errorf("panicked with %v; the state is %v", err, s)
		}
		if got := err.Error(); got != "illegal move of attempt j/0/0: SUCCEEDED to RUNNING" {
			t.Error(got)
		}
	}()
	AttemptMoves.move(&s, Running, func() string { return "attempt j/0/0" })
}

func TestDiagramsDrawTheTables(t *testing.T) {
	datadriven.RunTest(t, "testdata/moves/diagrams", func(t *testing.T, d *datadriven.TestData) string {
		var of string
		d.ScanArgs(t, "of", &of)
		return Diagram(tables[of])
	})
}

package swarm

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
)

// A story that fails at times only is told until it does; the page has what failed first.
func TestThePageOfARunHasWhatFailedFirst(t *testing.T) {
	tries := 0
	shy := Teller{Name: "shy", Tries: 3, Timeline: func(story.Story) (timeline.Timeline, error) {
		if tries++; tries < 3 {
			return timeline.Timeline{Notes: []string{"it holds"}}, nil
		}
		return timeline.Timeline{Notes: []string{"it fails"}}, errors.New("broken")
	}}
	page := NewPage("make swarm SEED=1")
	page.Add(Exact(), story.Draw(1, Exact().Limits), nil, "make replay GEN=exact SEED=1")
	page.Add(shy, story.Story{Seed: 2}, errors.New("broken\nin two lines"), "make replay GEN=shy SEED=2")
	page.Count(&Report{Stories: 2, Findings: []Finding{{Seed: 2}}}, "shy")
	dir := t.TempDir()
	if err := page.Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "swarm.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run timeline.Run
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	if run.Outcome != "2 random stories, 1 broke a promise" || len(run.Counts) == 0 || !strings.HasPrefix(run.Counts[0].Text, "2 stories") {
		t.Errorf("the run came to %q: %+v", run.Outcome, run.Counts)
	}
	if len(run.Scenarios) != 2 || run.Scenarios[0].ID != "shy-2" || run.Scenarios[1].ID != "exact-1" {
		t.Fatalf("the page has %d stories", len(run.Scenarios))
	}
	failed, survived := run.Scenarios[0], run.Scenarios[1]
	drawn := failed.Timelines[0]
	if failed.Failed != 1 || failed.Text != "broken" || drawn.Failure != "broken\nin two lines" || drawn.Repeat != "make replay GEN=shy SEED=2" ||
		len(drawn.Notes) != 1 || drawn.Notes[0] != "it fails" {
		t.Errorf("what failed is %+v", failed)
	}
	if survived.Failed != 0 || survived.Attempts == 0 || len(survived.Timelines[0].Events) == 0 {
		t.Errorf("what survived has %d attempts and %d events", survived.Attempts, len(survived.Timelines[0].Events))
	}
}

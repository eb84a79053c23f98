package exact

import (
	"strings"
	"testing"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
)

func TestATimelineLeavesTheHistoryAsItIs(t *testing.T) {
	for seed := range uint64(20) {
		s := story.Draw(seed, limits)
		if with, without := Run(s, Options{Facts: &timeline.Facts{}}), Run(s, Options{}); with.Digest != without.Digest {
			t.Errorf("seed %d has another history with a timeline", seed)
		}
	}
}

func TestATimelineTellsTheStory(t *testing.T) {
	const second = time.Second
	var facts timeline.Facts
	out := Run(small(
		fault.Crash("c-0").At(10*second).For(30*second), fault.Cut("w-0", fault.Anybody).At(40*second).For(5*second),
		fault.AtSite("controller.dispatch", "w-1", 1, 2).At(0).For(50*second),
	), Options{Facts: &facts})
	if out.Violation != nil {
		t.Fatal(out.Violation)
	}
	var b strings.Builder
	drawn := timeline.Draw(facts)
	timeline.Text(&b, drawn.Events)
	for _, want := range []string{
		"0s  controller c-0 leads", "worker w-1 registers", "1s  job j-0 is launched", "10s  c-0 is killed", "40s  c-0 is started again",
		"40s  fault cut w-0 <-> * begins", "45s  fault cut w-0 <-> * is over", "fault controller.dispatch: fail (hit 1 of worker w-1)",
		"job j-0 SUCCEEDED", "job j-1 SUCCEEDED", "job j-2 SUCCEEDED",
	} {
		if n := strings.Count(b.String(), want); n != 1 {
			t.Errorf("%q is told %d times", want, n)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

package acceptance

import (
	"fmt"
	"testing"

	"iris/iris/faults"
)

func TestARuleInSeveralDaemonsIsJudgedAsOne(t *testing.T) {
	state := func(matched int, missed string) faults.Rule {
		return faults.Rule{Counts: faults.Counts{Matched: matched}, Missed: missed}
	}
	const plain, rationed = "worker.heartbeat fail", "worker.heartbeat max 3 fail"
	for _, c := range []struct {
		text   string
		states []faults.Rule
		want   string
	}{
		{plain, []faults.Rule{state(5, ""), state(5, "")}, "<nil>"},
		{plain, []faults.Rule{state(5, ""), state(0, "never reached")}, "<nil>"},
		{plain, []faults.Rule{state(0, "never reached"), state(5, "")}, "<nil>"},
		{plain, []faults.Rule{state(0, "never reached"), state(2, "matched 2 times, but never drawn")},
			"chaos: rule worker.heartbeat fail: in w-0: never reached; in w-1: matched 2 times, but never drawn"},
		{rationed, []faults.Rule{state(3, ""), state(0, "never reached")}, "<nil>"},
		{rationed, []faults.Rule{state(3, ""), state(1, "")}, "chaos: rule worker.heartbeat max 3 fail counts to its limit " +
			"in each of w-0, w-1, which is more than was meant; match one of them"},
		{"worker.heartbeat min 2 fail", []faults.Rule{state(1, "x"), state(1, "x")}, "chaos: rule worker.heartbeat min 2 fail " +
			"counts to its limit in each of w-0, w-1, which is more than was meant; match one of them"},
		{rationed, []faults.Rule{state(3, "")}, "<nil>"},
		{rationed, []faults.Rule{state(0, "never reached")}, "chaos: rule worker.heartbeat max 3 fail: in w-0: never reached"},
	} {
		if got := fmt.Sprint(missed(c.text, []string{"w-0", "w-1"}, c.states)); got != c.want {
			t.Errorf("%s, %+v:\n\t%s\nwant\t%s", c.text, c.states, got, c.want)
		}
	}
}

package faults_test

import (
	"fmt"
	"testing"

	"iris/chaos"
	"iris/iris/faults"
)

func TestRulesOfTheEnvironmentAreArmed(t *testing.T) {
	t.Cleanup(chaos.Reset)
	t.Setenv(faults.Variable, "test.beat max 1; test.beat pause # both")
	rules, err := faults.FromEnvironment("demo", true)
	equal(t, "error", err, nil)
	equal(t, "rules", fmt.Sprint(rules), "[test.beat[cluster=demo] max 1 fail test.beat[cluster=demo] pause]")
	equal(t, "armed", fmt.Sprint(chaos.In("demo").Rules()), fmt.Sprint(rules))
}

func TestABadEnvironmentStopsTheStart(t *testing.T) {
	t.Cleanup(chaos.Reset)
	for _, c := range []struct {
		text    string
		enabled bool
		want    string
	}{
		{"test.beat; test.beat rate 2", true, "IRIS_CHAOS: chaos: column 22: rate 2: want a number from 0 to 1"},
		{"test.beat[cluster=other]", true, `IRIS_CHAOS: chaos: column 1: test.beat: Match("cluster", "other"): ` +
			`want no cluster but "demo", in whose scope the rule is armed`},
		{"test.beat", false,
			"IRIS_CHAOS has rules, but chaos is off; start with --chaos to arm them, or unset IRIS_CHAOS"},
		{"", false, "<nil>"},
		{" \n", false, "<nil>"},
		{"", true, "<nil>"},
	} {
		t.Setenv(faults.Variable, c.text)
		rules, err := faults.FromEnvironment("demo", c.enabled)
		equal(t, fmt.Sprintf("error of %q", c.text), fmt.Sprint(err), c.want)
		equal(t, "rules", len(rules)+len(chaos.Rules()), 0)
	}
}

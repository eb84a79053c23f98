package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"iris/chaos"
)

var closed = chaos.NewSite("test.closed", "says which labels its hits have", chaos.CanAll, "worker").Carrying("job")

func TestTextsThatMeanTheSameArmTheSame(t *testing.T) {
	t.Cleanup(chaos.Reset)
	for text, want := range map[string]string{
		"test.beat": "test.beat fail",
		"  test.beat [ worker = w-0 , \"job\" = \"a b\" ]\tfail ":   `test.beat[worker=w-0,job="a b"] fail`,
		`test.beat[worker="w-0"]`:                                   "test.beat[worker=w-0] fail",
		"test.beat fail max 3 rate .5":                              "test.beat rate 0.5 max 3 fail",
		"test.beat code DEADLINE_EXCEEDED":                          "test.beat fail code DeadlineExceeded",
		"test.beat code deadlineexceeded err \"\"":                  `test.beat err "" code DeadlineExceeded`,
		"test.beat code CANCELLED":                                  "test.beat fail code Canceled",
		"test.beat window 0s to 90s":                                "test.beat window 0s to 1m30s fail",
		"test.beat min 0":                                           "test.beat may-not-fire fail",
		"test.beat[job=a,cluster=demo] pause":                       "test.beat[cluster=demo,job=a] pause",
		"# nothing lost\n\ntest.beat # all beats\n; # the end":      "test.beat fail",
		"test.beat[task=0,path=C:\\x/y] err \"a \\\"b\\\"\\nc; #\"": `test.beat[task=0,path=C:\x/y] err "a \"b\"\nc; #"`,
	} {
		rule, err := chaos.EnableText(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		equal(t, text, rule.String(), want)
	}
}

const (
	badQuotes  = "found quotes that do not end, or are not as in Go, "
	wantErr    = `want a text in quotes for err, such as "disk full"`
	wantWhole  = "want a whole number for max, such as 3"
	wantTime   = "a duration such as 500ms, 3s or 1m30s"
	wantClause = `want code, delay, err, every, fail, max, may-not-fire, min, pause, rate, seed, skip or window`
	wantKey    = "want the key of a label, as in [worker=w-0]"
)

func TestABadTextIsRefusedWithPlaceAndCure(t *testing.T) {
	t.Cleanup(chaos.Reset)
	for _, c := range []struct{ text, want string }{
		{"test.beat dealy 3s", `column 11: found "dealy", ` + wantClause + "; did you mean delay?"},
		{"test.beat zzzzzzzzzzz", `column 11: found "zzzzzzzzzzz", ` + wantClause},
		{`test.beat "delay" 3s`, `column 11: found "delay", ` + wantClause + "; did you mean delay?"},
		{"test.beat rate=1", `column 15: found "=", want a number from 0 to 1 for rate, such as 0.5`},
		{"test.beat rate 50%", `column 16: found "50%", want a number from 0 to 1 for rate, such as 0.5`},
		{"test.beat rate 1.5 ", "column 11: rate 1.5: want a number from 0 to 1"},
		{"test.beat rate NaN", "column 11: rate NaN: want a number from 0 to 1"},
		{"test.beat max", "column 14: found the end of the text, want a whole number for max, such as 3"},
		{"test.beat max 2.5", `column 15: found "2.5", ` + wantWhole},
		{"test.beat max 99999999999999999999", `column 15: found "99999999999999999999", ` + wantWhole},
		{"test.beat max -1", "column 11: max -1: want 0 or more"},
		{"test.beat seed -1", `column 16: found "-1", want a whole number for seed, such as 7`},
		{"test.beat every 0", "column 11: every 0: want 1 or more"},
		{"test.beat delay 3", `column 17: found "3", want a duration for delay, such as 500ms, 3s or 1m30s`},
		{`test.beat delay "3s"`, `column 17: found "3s", want a duration for delay, such as 500ms, 3s or 1m30s`},
		{"test.beat delay -3s", "column 11: delay -3s: want 0s or more"},
		{"test.beat window 5s", `column 20: found the end of the text, want "to" and the end of the window`},
		{"test.beat window 5s till 6s", `column 21: found "till", want "to" and the end of the window`},
		{"test.beat window 5s to 4s fail", "column 11: window 5s to 4s: want 0 or more, and an end after the beginning"},
		{"test.beat window x", `column 18: found "x", want the beginning of the window, ` + wantTime},
		{"test.beat window 1s to x", `column 24: found "x", want the end of the window, ` + wantTime},
		{"test.beat err boom", `column 15: found "boom", ` + wantErr},
		{`test.beat err "boom`, "column 15: " + badQuotes + wantErr},
		{`test.beat err "\q"`, "column 15: " + badQuotes + wantErr},
		{"test.beat code UNAVAILBLE", `column 16: found "UNAVAILBLE", want Canceled, Unknown, InvalidArgument, DeadlineExceeded, ` +
			"NotFound, AlreadyExists, PermissionDenied, ResourceExhausted, FailedPrecondition, Aborted, OutOfRange, " +
			"Unimplemented, Internal, Unavailable, DataLoss or Unauthenticated; did you mean Unavailable?"},
		{"test.beat fail fail", "column 16: fail is given twice"},
		{"test.beat delay 1s fail delay 2s", "column 25: delay is given twice"},
		{"test.beat call", "column 11: a callback cannot be said as text; arm the rule in the process"},
		{"test.beat \x00", `column 11: found "\x00", ` + wantClause},
		{"[worker=w-0]", `column 1: found "[", want the name of a site`},
		{`"test.beat"`, `column 1: found "test.beat", want the name of a site`},
		{"test.beat[", "column 11: found the end of the text, " + wantKey},
		{"test.beat[]", `column 11: found "]", ` + wantKey},
		{"test.beat[worker=w-0,]", `column 22: found "]", ` + wantKey},
		{`test.beat[""=x]`, `column 11: found "", ` + wantKey},
		{"test.beat[worker]", `column 17: found "]", want = and the value of the label`},
		{"test.beat[worker=]", `column 18: found "]", want the value of the label, in quotes if it is empty or has special characters`},
		{"test.beat[worker=w-0", "column 21: found the end of the text, want a comma and another label, or ]"},
		{"test.beat[worker=w 0]", `column 20: found "0", want a comma and another label, or ]`},
		{"test.beat[worker=a,worker=b]", `column 20: label "worker" is given twice; all must hold, so arm a rule for each value`},
		{"test.beat[worker=é] ü", `column 21: found "ü", ` + wantClause},
		{"test.closed[wroker=w-0]", `column 13: hits of test.closed have no label "wroker", want cluster, worker or job; did you mean worker?`},
		{"test.beat min 3 max 2", "column 1: test.beat: MinFailures(3) with MaxFailures(2): want a floor at most the maximum"},
		{"test.limited", "column 1: test.limited: action fail: this site can only delay, pause"},
	} {
		_, err := chaos.EnableAll(c.text)
		if want := "chaos: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%q\n\tis refused with %v\n\twant             %s", c.text, err, want)
		}
		_, check := chaos.CheckText(c.text)
		equal(t, "error of CheckText", fmt.Sprint(check), fmt.Sprint(err))
	}
	equal(t, "rules after refusals", len(chaos.Rules()), 0)
}

func TestTheFirstMistakeOfEachRuleIsReportedAndNothingIsArmed(t *testing.T) {
	t.Cleanup(chaos.Reset)
	_, err := chaos.EnableAll("test.beat fail\n\ttest.beat rate 2 rate 3 # two mistakes\ntest.beat pause; test.beat[worker=\n")
	equal(t, "error", fmt.Sprint(err), "chaos: line 2, column 12: rate 2: want a number from 0 to 1\n"+
		"chaos: line 3, column 35: found the end of the line, want the value of the label, "+
		"in quotes if it is empty or has special characters")
	equal(t, "rules", len(chaos.Rules()), 0)
	equal(t, "armed", beat.Armed(), false)
}

func TestATextOfAnUnknownSiteNamesTheNearest(t *testing.T) {
	_, err := chaos.EnableAll("test.beat fail; test.baet fail")
	const want = `chaos: column 17: no site "test.baet"; did you mean "test.beat"? The sites are `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("refused with %v", err)
	}
	equal(t, "rules", len(chaos.Rules()), 0)
}

func TestSeveralRulesAreArmedInTheirOrder(t *testing.T) {
	t.Cleanup(chaos.Reset)
	rules, err := chaos.EnableAll("test.beat max 1; test.plain pause\n# the last\ntest.beat[worker=w-0]")
	if err != nil {
		t.Fatal(err)
	}
	n, err := chaos.CheckText("test.beat max 1; test.plain pause")
	equal(t, "rules of a text", fmt.Sprint(n, err), "2 <nil>")
	equal(t, "rules", fmt.Sprint(rules), "[test.beat max 1 fail test.plain pause test.beat[worker=w-0] fail]")
	equal(t, "they are the rules there are", slices.Equal(rules, chaos.Rules()), true)
	none, err := chaos.EnableAll(" # nothing\n;\n")
	equal(t, "rules of an empty text", fmt.Sprint(none, err), "[] <nil>")
}

func TestEnableTextWantsOneRule(t *testing.T) {
	for text, n := range map[string]string{"": "0 rules", "test.beat; test.beat": "2 rules"} {
		_, err := chaos.EnableText(text)
		equal(t, "error", fmt.Sprint(err), "chaos: a text of "+n+", want one rule")
	}
	equal(t, "rules", len(chaos.Rules()), 0)
}

func TestTheClusterOfATextIsItsScope(t *testing.T) {
	t.Cleanup(chaos.Reset)
	demo := chaos.In("demo")
	named, err := chaos.EnableText("test.beat[cluster=demo]")
	if err != nil {
		t.Fatal(err)
	}
	matched := arm(t, beat, chaos.Match("cluster", "demo"))
	inside := armIn(t, demo, "test.beat", chaos.Match("cluster", "demo"))
	equal(t, "all are the scope's", slices.Equal(demo.Rules(), []*chaos.Rule{named, matched, inside}), true)
	for _, r := range demo.Rules() {
		equal(t, "text", r.String(), "test.beat[cluster=demo] fail")
	}
	pattern(t, beat, on("other", "w-0"), 1)
	equal(t, "hits of another cluster", named.Counts(), chaos.Counts{})

	_, err = demo.EnableText("test.beat[cluster=other]")
	equal(t, "another cluster's text", fmt.Sprint(err), `chaos: column 1: test.beat: Match("cluster", "other"): `+
		`want no cluster but "demo", in whose scope the rule is armed`)
	_, err = chaos.EnableText(`test.beat[cluster=""]`)
	equal(t, "no cluster", fmt.Sprint(err), `chaos: column 1: test.beat: Match("cluster", ""): want the name of a cluster`)
}

func TestALabelThatNoHitHasIsRefused(t *testing.T) {
	equal(t, "labels", fmt.Sprint(closed.Labels(), beat.Labels()), "[cluster worker job] []")
	arm(t, closed, chaos.Match("worker", "w-0"), chaos.Match("job", "a"), chaos.Match("cluster", "demo"))
	_, err := closed.Enable(chaos.Match("jbo", "a"))
	equal(t, "error", fmt.Sprint(err), `chaos: test.closed: Match("jbo", "a"): hits of this site have no such label, `+
		"want cluster, worker or job; did you mean job?")
}

func TestRulesHaveIDs(t *testing.T) {
	a, b := arm(t, beat), arm(t, beat)
	if a.ID() == "" || a.ID() == b.ID() || a.ID() == chaos.NewID() {
		t.Errorf("ids are %q, %q", a.ID(), b.ID())
	}
	named, err := chaos.EnableText("test.beat max 1", chaos.ID("x"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "given id", named.ID(), "x")
	several, err := chaos.EnableAll("test.beat max 2; test.beat max 3", chaos.ID("y"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ids of several", several[0].ID()+" "+several[1].ID(), "y.1 y.2")
	_, err = beat.Enable(chaos.ID(""))
	equal(t, "no id", fmt.Sprint(err), `chaos: test.beat: ID(""): want a name`)
}

func TestAnIDMakesArmingRepeatable(t *testing.T) {
	first := arm(t, beat, chaos.ID("x"), chaos.Pause())
	again := arm(t, beat, chaos.Pause(), chaos.ID("x"))
	equal(t, "the same rule", again, first)
	equal(t, "rules", len(chaos.Rules()), 1)
	first.Disarm()
	again = arm(t, beat, chaos.Pause(), chaos.ID("x"))
	equal(t, "the same after disarming", again, first)
	equal(t, "armed again", again.Armed() || beat.Armed(), false)

	for what, err := range map[string]error{
		"another rule": errOf(beat.Enable(chaos.ID("x"))),
		"a callback": errOf(beat.Enable(chaos.ID("x"), chaos.Pause(),
			chaos.Call(func(context.Context, chaos.Labels) error { return nil }))),
	} {
		equal(t, what, fmt.Sprint(err), `chaos: ID("x"): want an id of its own; the rule test.beat pause has this one`)
	}
	other := armIn(t, chaos.In("a"), "test.beat", chaos.ID("x"))
	equal(t, "rule of another scope", other.String(), "test.beat[cluster=a] fail")
	chaos.Reset()
	equal(t, "id after Reset", arm(t, beat, chaos.ID("x")).String(), "test.beat fail")
}

func errOf[T any](_ T, err error) error { return err }

func TestARuleIsSaidWithoutArmingIt(t *testing.T) {
	t.Cleanup(chaos.Reset)
	demo := chaos.In("demo")
	demo.Seed(7)
	opts := []chaos.Option{chaos.Match("worker", "w-0"), chaos.MaxFailures(3), chaos.Delay(time.Second), chaos.ID("x")}
	text, err := demo.Text("test.beat", opts...)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", text, "test.beat[cluster=demo,worker=w-0] max 3 seed 7 delay 1s")
	equal(t, "rules", len(chaos.Rules()), 0)
	equal(t, "rule", armIn(t, demo, "test.beat", opts...).String(), text)
	rule, err := chaos.EnableText(text)
	equal(t, "rule of another process", fmt.Sprint(rule, err), text+" <nil>")

	if text, err = chaos.Text("test.beat", chaos.WithSeed(0)); err != nil {
		t.Fatal(err)
	}
	equal(t, "text without a scope", text, "test.beat seed 0 fail")

	call := chaos.Call(func(context.Context, chaos.Labels) error { return nil })
	for want, err := range map[string]error{
		"chaos: test.beat: a callback cannot be said as text; arm the rule in the process": errOf(chaos.Text("test.beat", call)),
		"chaos: test.beat: MaxFailures(-1): want 0 or more":                                errOf(chaos.Text("test.beat", chaos.MaxFailures(-1))),
		errOf(chaos.Enable("test.baet")).Error():                                           errOf(chaos.Text("test.baet")),
		errOf(demo.Enable("test.beat", chaos.Match("cluster", "other"))).Error():           errOf(demo.Text("test.beat", chaos.Match("cluster", "other"))),
		errOf(chaos.Enable("test.limited", chaos.Fail())).Error():                          errOf(chaos.Text("test.limited", chaos.Fail())),
	} {
		equal(t, "refusal", fmt.Sprint(err), want)
	}
}

package faults_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/iris/faults"
)

func TestARuleIsArmedInEveryProcessAndCountsInEach(t *testing.T) {
	bubble(t, []string{"w-1", "w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		reports, err := client.EnableAs(t.Context(), "x", "test.beat[worker=w-0] max 1")
		equal(t, "answer", told(reports, err), lines("c-0 x(0/0/0)", "w-0 x(0/0/0)", "w-1 x(0/0/0)"))
		for _, p := range []string{"process-of-c-0", "process-of-w-0", "process-of-w-1"} {
			equal(t, "rules in "+p, l.rules(p), fmt.Sprintf(`test.beat[cluster=%q,worker=w-0] max 1 fail`, l.cluster(p)))
			equal(t, "first hit in "+p, l.hit(p, "w-0"), true)
			equal(t, "second hit in "+p, l.hit(p, "w-0"), false)
		}
		equal(t, "hit of another worker", l.hit("process-of-w-1", "w-1"), false)
		reports, err = client.Rules(t.Context())
		equal(t, "rules", told(reports, err), lines("c-0 x(2/2/1)", "w-0 x(2/2/1)", "w-1 x(3/2/1)"))
		rule := reports[2].Rules[0]
		equal(t, "targets", fmt.Sprint(rule.Targets), "map[w-0:{2 2 1} w-1:{1 0 0}]")
		equal(t, "missed", rule.Missed, "")
	})
}

func TestAnIDIsMadeUpAndTheSameEverywhere(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		reports, err := client.Enable(t.Context(), "test.beat; test.beat pause")
		if err != nil {
			t.Fatal(err)
		}
		first, second := reports[0].Rules, reports[1].Rules
		equal(t, "rules", fmt.Sprint(len(first), len(second)), "2 2")
		for i := range first {
			equal(t, "id", second[i].ID, first[i].ID)
			equal(t, "missed", first[i].Missed, "never reached")
		}
		if first[0].ID == first[1].ID {
			t.Errorf("two rules are called %s", first[0].ID)
		}
	})
}

func TestTargetsChooseProcesses(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, client *faults.Client) {
		for _, c := range []struct {
			targets []string
			want    string
		}{
			{[]string{"w-1"}, "w-1 a"},
			{[]string{"w-1", "controller", "w-1", "c-0"}, "w-1 a\nc-0 a"},
			{[]string{"."}, "c-0 a"},
			{[]string{"controller"}, "c-0 a"},
			{nil, "c-0 a\nw-0 a\nw-1 a"},
		} {
			reports, err := client.EnableAs(t.Context(), "a", "test.beat", c.targets...)
			equal(t, fmt.Sprintf("answer of %q", c.targets), strings.ReplaceAll(told(reports, err), "(0/0/0)", ""), c.want)
			_, err = client.Reset(t.Context())
			equal(t, "error of Reset", err, nil)
		}
		reports, err := client.EnableAs(t.Context(), "a", "test.beat", "w-0", "w-9")
		equal(t, "unknown target", told(reports, err), "NotFound: no process \"w-9\" in cluster "+l.cluster("process-of-c-0")+
			"; there is c-0, controller, w-0, w-1")
		equal(t, "rules of the known one", l.rules("process-of-w-0"), "")
	})
}

func TestAWorkerServesItselfAlone(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, _ *faults.Client) {
		client := faults.Connect(l.peers["w-0"].conn)
		for _, targets := range [][]string{nil, {"w-0"}, {"."}} {
			reports, err := client.EnableAs(t.Context(), "x", "test.beat", targets...)
			equal(t, fmt.Sprintf("answer of %q", targets), told(reports, err), "w-0 x(0/0/0)")
		}
		reports, err := client.Rules(t.Context(), "w-1")
		equal(t, "another one", told(reports, err),
			`NotFound: no process "w-1" here: this is w-0, which serves itself alone; ask the controller`)
	})
}

func TestABadTextIsRefusedAndArmsNothingAnywhere(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		long := "test.beat # " + strings.Repeat("x", (64<<10))
		for text, want := range map[string]string{
			"test.beat dealy 3s": `chaos: column 11: found "dealy", want code, delay, err, every, fail, max, may-not-fire, ` +
				`min, pause, rate, seed, skip or window; did you mean delay?`,
			"test.beat; test.baet": `chaos: column 12: no site "test.baet"; did you mean "test.beat"? The sites are ` + sites(),
			"test.beat[wroker=w-0]": `chaos: column 11: hits of test.beat have no label "wroker", want cluster, worker or job; ` +
				`did you mean worker?`,
			"test.beat[cluster=other]": fmt.Sprintf(`chaos: column 1: test.beat: Match("cluster", "other"): want no cluster but %q, `+
				`in whose scope the rule is armed`, l.cluster("process-of-c-0")),
			"# none": "the text has no rule, want one, such as worker.heartbeat max 3",
			long:     fmt.Sprintf("a text of %d bytes, want at most 65536", len(long)),
		} {
			reports, err := client.Enable(t.Context(), text)
			equal(t, fmt.Sprintf("answer to %.30q", text), told(reports, err), "InvalidArgument: "+want)
		}
		reports, err := client.EnableAs(t.Context(), "a b", "test.beat")
		equal(t, "answer to a bad id", told(reports, err),
			`InvalidArgument: id "a b": want 1 to 64 letters, digits, dots, dashes or underscores`)
		equal(t, "rules", len(chaos.Rules()), 0)
	})
}

func TestEnablingAgainChangesNothing(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		for range 2 {
			reports, err := client.EnableAs(t.Context(), "x", "test.beat; test.beat pause")
			equal(t, "answer", told(reports, err), lines("c-0 x.1(0/0/0) x.2(0/0/0)", "w-0 x.1(0/0/0) x.2(0/0/0)"))
		}
		equal(t, "rules", len(chaos.Rules()), 4)
		reports, err := client.EnableAs(t.Context(), "x.1", "test.beat max 1")
		equal(t, "code for another text", status.Code(err), codes.InvalidArgument)
		if !strings.Contains(told(reports, err), `ID("x.1"): want an id of its own; the rule test.beat[`) {
			t.Errorf("refused with %v", err)
		}
	})
}

func TestThereIsAnEndToRules(t *testing.T) {
	bubble(t, nil, func(t *testing.T, l *lab, client *faults.Client) {
		for id, n := range map[string]int{"many": 255, "last": 1} {
			enable(t, client, id, strings.Repeat("test.beat; ", n))
		}
		enable(t, client, "many", strings.Repeat("test.beat; ", 255)) // once more, and nothing changes
		reports, err := client.Enable(t.Context(), "test.beat")
		equal(t, "answer", told(reports, err), "ResourceExhausted: 256 rules were armed since the last reset "+
			"and these are 1, want at most 256: reset first")
		_, err = client.Reset(t.Context())
		equal(t, "error of Reset", err, nil)
		reports, err = client.Enable(t.Context(), strings.Repeat("test.beat; ", 257))
		equal(t, "answer to too many at once", told(reports, err), "ResourceExhausted: 0 rules were armed since the last reset "+
			"and these are 257, want at most 256: reset first")
		equal(t, "rules", len(chaos.Rules()), 0)
	})
}

func TestAnUnreachableProcessIsAnEntryAndNotAFailure(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, client *faults.Client) {
		l.peers["w-0"].stop()
		l.deaf("w-2")
		began := time.Now()
		reports, err := client.EnableAs(t.Context(), "x", "test.beat")
		equal(t, "answer", told(reports, err), lines("c-0 x(0/0/0)", "w-0 refuses with Unavailable", "w-1 x(0/0/0)",
			"w-2 refuses with DeadlineExceeded"))
		equal(t, "time", time.Since(began), 5*time.Second)
		reports, err = client.Rules(t.Context(), "w-0")
		equal(t, "answer of it alone", told(reports, err), "w-0 refuses with Unavailable")
		reports, err = client.Disarm(t.Context(), "y", "w-0", "w-1")
		equal(t, "a rule that may be there", told(reports, err), lines("w-0 refuses with Unavailable",
			"w-1 refuses with NotFound"))
	})
}

func TestWhoeverCannotListProcessesSaysSo(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		l.broken = fmt.Errorf("no leader")
		reports, err := client.EnableAs(t.Context(), "x", "test.beat")
		equal(t, "answer", told(reports, err), "Unavailable: list the processes of cluster "+l.cluster("process-of-c-0")+
			": no leader; target c-0 reaches this one alone")
		equal(t, "rules", len(chaos.Rules()), 0)
		reports, err = client.EnableAs(t.Context(), "x", "test.beat", "c-0")
		equal(t, "answer of itself", told(reports, err), "c-0 x(0/0/0)")
		l.broken = status.Error(codes.Aborted, "ask c-1")
		reports, err = client.Rules(t.Context())
		equal(t, "a status is passed on", told(reports, err), "Aborted: ask c-1")
	})
}

func TestRulesAreDisarmedByID(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, client *faults.Client) {
		for id, targets := range map[string][]string{"all": nil, "one": {"w-0"}} {
			if _, err := client.EnableAs(t.Context(), id, "test.beat", targets...); err != nil {
				t.Fatal(err)
			}
		}
		reports, err := client.Disarm(t.Context(), "one")
		equal(t, "answer, without those that have no such rule", told(reports, err), "w-0 one(0/0/0) disarmed")
		reports, err = client.Disarm(t.Context(), "all", "w-1")
		equal(t, "answer", told(reports, err), "w-1 all(0/0/0) disarmed")
		equal(t, "hit where it is disarmed", l.hit("process-of-w-1", "w"), false)
		equal(t, "hit where it is armed", l.hit("process-of-w-0", "w"), true)
		reports, err = client.Disarm(t.Context(), "none", "w-1", "c-0")
		equal(t, "unknown id", told(reports, err),
			`NotFound: w-1: no rule "none"; there is all; c-0: no rule "none"; there is all`)
		_, err = client.Reset(t.Context())
		equal(t, "error of Reset", err, nil)
		reports, err = client.Disarm(t.Context(), "all", "w-1")
		equal(t, "id after Reset", told(reports, err), `NotFound: no rule "all"; there is none`)
	})
}

func TestAPauseFromOutsideIsReleasedFromOutside(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		if _, err := client.EnableAs(t.Context(), "x", "test.beat pause fail"); err != nil {
			t.Fatal(err)
		}
		gone := make(chan bool, 3)
		for range 3 {
			go func() { gone <- l.hit("process-of-w-0", "w-0") }()
		}
		synctest.Wait()
		reports, err := client.Rules(t.Context(), "w-0")
		equal(t, "held", told(reports, err), "w-0 x(3/3/3) holds 3")
		reports, err = client.Release(t.Context(), "x", 1)
		equal(t, "answer", told(reports, err), lines("c-0 x(0/0/0)", "w-0 x(3/3/3) holds 2 released 1"))
		equal(t, "a released hit fails", <-gone, true)
		reports, err = client.Release(t.Context(), "x", 0, "w-0")
		equal(t, "answer for all", told(reports, err), "w-0 x(3/3/3) released 2")
		for range 2 {
			equal(t, "a released hit fails", <-gone, true)
		}
		_, err = client.Release(t.Context(), "y", 0)
		equal(t, "code of an unknown one", status.Code(err), codes.NotFound)
	})
}

func TestResetLetsEveryHitGoAndForgets(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		inside, err := chaos.In(l.cluster("process-of-w-0")).Enable("test.beat", chaos.Delay(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.EnableAs(t.Context(), "x", "test.beat pause fail"); err != nil {
			t.Fatal(err)
		}
		gone := make(chan bool, 2)
		go func() { gone <- l.hit("process-of-w-0", "w-0") }()
		go func() { gone <- l.hit("process-of-c-0", "w-0") }()
		synctest.Wait()
		reports, err := client.Reset(t.Context())
		equal(t, "answer", told(reports, err), lines("c-0 x(1/1/1) disarmed",
			"w-0 "+inside.ID()+"(1/1/1) disarmed x(0/0/0) disarmed"))
		for range 2 {
			equal(t, "a hit fails", <-gone, false)
		}
		reports, err = client.Rules(t.Context())
		equal(t, "rules", told(reports, err), lines("c-0", "w-0"))
	})
}

func TestParticipantsOfOneProcessAnswerAsOne(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		l.join(l.start("w-1", "process-of-c-0"))
		l.join(l.start("w-2", "process-of-w-0"))
		reports, err := client.EnableAs(t.Context(), "x", "test.beat pause")
		equal(t, "answer", told(reports, err), lines("c-0+w-1 x(0/0/0)", "w-0+w-2 x(0/0/0)"))
		equal(t, "rules", len(chaos.Rules()), 2)
		for range 2 {
			go l.hit("process-of-w-0", "w-0")
		}
		synctest.Wait()
		reports, err = client.Release(t.Context(), "x", 1, "w-2", "w-0")
		equal(t, "released once", told(reports, err), "w-2+w-0 x(2/2/2) holds 1 released 1")
		_, err = client.Reset(t.Context())
		equal(t, "error of Reset", err, nil)
	})
}

func TestSitesAreListedWithWhatARuleMayDoThere(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		reports, err := client.Sites(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "reports", len(reports), 2)
		for _, r := range reports {
			var names []string
			for _, site := range r.Sites {
				names = append(names, site.Name)
				if site.Name == "test.beat" {
					equal(t, "site", fmt.Sprintf("%+v", site),
						"{Name:test.beat Doc:before a beat Can:[fail delay pause call] Labels:[cluster worker job]}")
				}
			}
			equal(t, "sites", strings.Join(names, ", "), sites())
		}
	})
}

// sites are those of this program.
func sites() string {
	var names []string
	for _, site := range chaos.Sites() {
		names = append(names, site.Name())
	}
	return strings.Join(names, ", ")
}

func TestOnlySomeOfManyTargetsAreReported(t *testing.T) {
	bubble(t, nil, func(t *testing.T, l *lab, client *faults.Client) {
		if _, err := client.EnableAs(t.Context(), "x", "test.beat skip 1"); err != nil {
			t.Fatal(err)
		}
		for i := range 150 {
			l.hit("process-of-c-0", fmt.Sprint(i))
		}
		l.hit("process-of-c-0", "149")
		reports, err := client.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rule := reports[0].Rules[0]
		equal(t, "targets", len(rule.Targets), 100)
		equal(t, "more", rule.MoreTargets, 50)
		equal(t, "the one that fired", rule.Targets["149"], faults.Counts{2, 2, 1})
	})
}

func TestCallsEndWithTheirCaller(t *testing.T) {
	bubble(t, nil, func(t *testing.T, l *lab, client *faults.Client) {
		l.deaf("w-0")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Rules(ctx)
		equal(t, "code", status.Code(err), codes.DeadlineExceeded)
	})
}

package chaos_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"iris/chaos"
)

func TestImpossibleRulesAreRefusedAndChangeNothing(t *testing.T) {
	t.Cleanup(chaos.Reset)
	for _, c := range []struct {
		opt  chaos.Option
		want string
	}{
		{chaos.FailureRate(1.5), "FailureRate(1.5): want a number from 0 to 1"},
		{chaos.FailureRate(-0.1), "FailureRate(-0.1): want a number from 0 to 1"},
		{chaos.FailureRate(math.NaN()), "FailureRate(NaN): want a number from 0 to 1"},
		{chaos.MaxFailures(-1), "MaxFailures(-1): want 0 or more"},
		{chaos.MinFailures(-2), "MinFailures(-2): want 0 or more"},
		{chaos.Skip(-3), "Skip(-3): want 0 or more"},
		{chaos.Every(0), "Every(0): want 1 or more"},
		{chaos.Every(-1), "Every(-1): want 1 or more"},
		{chaos.Window(-1, 5), "Window(-1ns, 5ns): want 0 or more, and an end after the beginning"},
		{chaos.Window(5, 4), "Window(5ns, 4ns): want 0 or more, and an end after the beginning"},
		{chaos.Window(5, 5), "Window(5ns, 5ns): want 0 or more, and an end after the beginning"},
		{chaos.Delay(-time.Second), "Delay(-1s): want 0s or more"},
		{chaos.Err(nil), "Err(nil): want an error; Fail has a default text"},
		{chaos.Call(nil), "Call(nil): want a function"},
		{chaos.Code(codes.OK), "Code(OK): want a gRPC code from Canceled (1) to Unauthenticated (16)"},
		{chaos.Code(17), "Code(Code(17)): want a gRPC code from Canceled (1) to Unauthenticated (16)"},
		{chaos.Match("", "w-0"), `Match("", "w-0"): want the key of a label`},
	} {
		rule, err := plain.Enable(c.opt)
		if err == nil {
			t.Errorf("accepted: %v, want %s", rule, c.want)
			chaos.Reset()
			continue
		}
		equal(t, "error", err.Error(), "chaos: test.plain: "+c.want)
		equal(t, "site armed by a refused rule", plain.Armed(), false)
		equal(t, "rules after a refusal", len(chaos.Rules()), 0)
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	t.Cleanup(chaos.Reset)
	_, err := plain.Enable(chaos.MinFailures(3), chaos.MaxFailures(2))
	equal(t, "floor above maximum", err.Error(),
		"chaos: test.plain: MinFailures(3) with MaxFailures(2): want a floor at most the maximum")
	_, err = plain.Enable(chaos.Match("worker", "w-0"), chaos.Match("worker", "w-1"))
	equal(t, "two values of a label", err.Error(), `chaos: test.plain: Match("worker", "w-1") with worker=w-0: `+
		"want one value, as all matches must hold; arm a rule for each")
}

func TestEveryMistakeIsReported(t *testing.T) {
	_, err := plain.Enable(chaos.Skip(-1), chaos.Every(0))
	equal(t, "error", err.Error(), "chaos: test.plain: Skip(-1): want 0 or more\nEvery(0): want 1 or more")
}

func TestActionsTheSiteCannotDoAreRefused(t *testing.T) {
	t.Cleanup(chaos.Reset)
	call := func(context.Context, chaos.Labels) error { return nil }
	for want, opts := range map[string][]chaos.Option{
		"fail":       nil,
		"call":       {chaos.Call(call)},
		"fail, call": {chaos.Delay(1), chaos.Call(call), chaos.Code(codes.Internal)},
	} {
		_, err := limited.Enable(opts...)
		if err == nil {
			t.Fatalf("the site was armed to %s", want)
		}
		equal(t, "error", err.Error(),
			"chaos: test.limited: action "+want+": this site can only delay, pause")
	}
	equal(t, "site armed by a refused rule", limited.Armed(), false)
	arm(t, limited, chaos.Delay(time.Second), chaos.Pause())
}

func TestRuleReadsAsText(t *testing.T) {
	call := func(context.Context, chaos.Labels) error { return nil }
	for want, opts := range map[string][]chaos.Option{
		"test.beat fail": nil,
		"test.beat[worker=w-0] rate 0.5 max 3 delay 3s": {
			chaos.Match("worker", "w-0"), chaos.FailureRate(0.5), chaos.MaxFailures(3),
			chaos.Delay(3 * time.Second)},
		"test.beat[worker=w-0,job=a] skip 1 every 2 window 1s to 1m0s min 1 max 4 seed 9 fail": {
			chaos.Match("worker", "w-0"), chaos.Match("job", "a"), chaos.Skip(1), chaos.Every(2),
			chaos.Window(time.Second, time.Minute), chaos.MinFailures(1), chaos.MaxFailures(4),
			chaos.WithSeed(9)},
		`test.beat delay 1ms pause call err "disk full" code DataLoss`: {
			chaos.Code(codes.DataLoss), chaos.Err(errors.New("disk full")), chaos.Call(call), chaos.Pause(),
			chaos.Delay(time.Millisecond)},
		"test.beat fail code Internal": {chaos.Code(codes.Internal)},
	} {
		equal(t, "rule", arm(t, beat, opts...).String(), want)
	}
	rule, err := chaos.In("a").Enable("test.beat", chaos.Match("worker", "w-0"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rule of a cluster", rule.String(), "test.beat[cluster=a,worker=w-0] fail")
}

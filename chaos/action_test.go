package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
)

func TestInjectedErrorIsAFreshGRPCStatus(t *testing.T) {
	full := errors.New("disk full")
	denied := status.Error(codes.PermissionDenied, "no entry")
	for _, c := range []struct {
		opts []chaos.Option
		text string
		is   error
		code codes.Code
		desc string
	}{
		{nil, "chaos: test.plain", chaos.ErrInjected, codes.Unavailable, "chaos: test.plain"},
		{[]chaos.Option{chaos.Fail()}, "chaos: test.plain", chaos.ErrInjected, codes.Unavailable,
			"chaos: test.plain"},
		{[]chaos.Option{chaos.Err(full)}, "disk full", full, codes.Unavailable, "disk full"},
		{[]chaos.Option{chaos.Err(full), chaos.Code(codes.Aborted)}, "disk full", full, codes.Aborted,
			"disk full"},
		{[]chaos.Option{chaos.Code(codes.Internal)}, "chaos: test.plain", chaos.ErrInjected, codes.Internal,
			"chaos: test.plain"},
		{[]chaos.Option{chaos.Err(denied)}, denied.Error(), denied, codes.PermissionDenied, "no entry"},
		{[]chaos.Option{chaos.Err(denied), chaos.Code(codes.Aborted)}, denied.Error(), denied, codes.Aborted,
			"no entry"},
	} {
		rule := arm(t, plain, c.opts...)
		err := plain.Hit(t.Context(), nil)
		st, ok := status.FromError(err)
		if err == nil || !ok {
			t.Fatalf("%v: error %v, a status: %v", rule, err, ok)
		}
		equal(t, "text", err.Error(), c.text)
		equal(t, "is ErrInjected", errors.Is(err, chaos.ErrInjected), true)
		equal(t, fmt.Sprintf("is %v", c.is), errors.Is(err, c.is), true)
		equal(t, "code", st.Code(), c.code)
		equal(t, "code when wrapped", status.Code(fmt.Errorf("send: %w", err)), c.code)
		equal(t, "message", st.Message(), c.desc)
		if again := plain.Hit(t.Context(), nil); again == err {
			t.Errorf("%v: two hits share one error", rule)
		}
		chaos.Reset()
	}
}

func TestCallSeesTheHitAndItsErrorFailsIt(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	boom := errors.New("boom")
	var result error
	var seen []string
	arm(t, beat, chaos.Call(func(ctx context.Context, l chaos.Labels) error {
		seen = append(seen, fmt.Sprint(ctx.Value(key{}), l["worker"]))
		return result
	}))
	equal(t, "error of a callback without one", beat.Hit(ctx, w("w-0")), nil)
	result = boom
	err := beat.Hit(ctx, w("w-1"))
	equal(t, "text", fmt.Sprint(err), "boom")
	equal(t, "is boom", errors.Is(err, boom), true)
	equal(t, "is ErrInjected", errors.Is(err, chaos.ErrInjected), true)
	equal(t, "code", status.Code(err), codes.Unavailable)
	equal(t, "calls", fmt.Sprint(seen), "[minew-0 minew-1]")
}

func TestCodeGoesForTheErrorOfACallTooAndFailsWithoutOne(t *testing.T) {
	result := errors.New("boom")
	arm(t, plain, chaos.Code(codes.Aborted), chaos.Call(func(context.Context, chaos.Labels) error { return result }))
	err := plain.Hit(t.Context(), nil)
	equal(t, "text", fmt.Sprint(err), "boom")
	equal(t, "code", status.Code(err), codes.Aborted)
	result = nil
	err = plain.Hit(t.Context(), nil)
	equal(t, "text without an error", fmt.Sprint(err), "chaos: test.plain")
	equal(t, "code without an error", status.Code(err), codes.Aborted)
}

func TestCallMayDisarmItsOwnRule(t *testing.T) {
	var rule *chaos.Rule
	rule = arm(t, plain, chaos.Call(func(context.Context, chaos.Labels) error { rule.Disarm(); return nil }))
	equal(t, "error", plain.Hit(t.Context(), nil), nil)
	equal(t, "armed", plain.Armed(), false)
}

func TestDelayAloneHoldsWithoutFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Delay(3*time.Second))
		from := time.Now()
		equal(t, "error", plain.Hit(t.Context(), nil), nil)
		equal(t, "time", time.Since(from), 3*time.Second)
	})
}

func TestDelayThenFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Err(errors.New("late")), chaos.Delay(3*time.Second))
		from := time.Now()
		equal(t, "error", fmt.Sprint(plain.Hit(t.Context(), nil)), "late")
		equal(t, "time", time.Since(from), 3*time.Second)
	})
}

func TestRulesOfASiteActInTheOrderOfArmingUntilOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Delay(time.Second))
		arm(t, plain, chaos.Delay(2*time.Second))
		arm(t, plain, chaos.Err(errors.New("third")), chaos.Skip(1))
		last := arm(t, plain, chaos.Err(errors.New("fourth")), chaos.Delay(5*time.Second))
		for _, want := range []struct {
			err  string
			time time.Duration
		}{{"fourth", 8 * time.Second}, {"third", 3 * time.Second}} {
			from := time.Now()
			equal(t, "error", fmt.Sprint(plain.Hit(t.Context(), nil)), want.err)
			equal(t, "time", time.Since(from), want.time)
		}
		equal(t, "hits that reached the last rule", last.Counts().Reached, 1)
	})
}

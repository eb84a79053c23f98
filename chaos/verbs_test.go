package chaos_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
)

func TestUnknownKeyIsRefusedWithTheNearestAndAllKnownOnes(t *testing.T) {
	_, err := chaos.Enable("test.baet")
	text := fmt.Sprint(err)
	const want = `chaos: no site "test.baet"; did you mean "test.beat"? The sites are demo.beat, test.beat, `
	if !strings.HasPrefix(text, want) {
		t.Errorf("Enable says %s", text)
	}
	for _, s := range chaos.Sites() {
		if !strings.Contains(text, s.Name()) {
			t.Errorf("Enable does not name %s: %s", s.Name(), text)
		}
	}
	equal(t, "rules after a refusal", len(chaos.Rules()), 0)
	_, err = chaos.In("a").Enable("test.baet")
	equal(t, "error of a scope", fmt.Sprint(err), text)
	err = chaos.Raise("test.baet")
	equal(t, "error of Raise", fmt.Sprint(err), text)
	equal(t, "Raise injected it", errors.Is(err, chaos.ErrInjected), false)
	equal(t, "panic of Chaos", panicOf(func() { chaos.Chaos("test.baet") }), text)
}

func TestVerbsPassTheSite(t *testing.T) {
	t.Cleanup(chaos.Reset)
	equal(t, "Chaos on an idle site", chaos.Chaos("test.plain"), false)
	equal(t, "Raise on an idle site", chaos.Raise("test.plain"), nil)
	boom := errors.New("boom")
	if _, err := chaos.Enable("test.plain", chaos.Err(boom), chaos.MaxFailures(2)); err != nil {
		t.Fatal(err)
	}
	equal(t, "Chaos on an armed site", chaos.Chaos("test.plain"), true)
	err := chaos.Raise("test.plain")
	equal(t, "Raise on an armed site", fmt.Sprint(err), "boom")
	equal(t, "is boom", errors.Is(err, boom), true)
	equal(t, "Chaos once the maximum is reached", chaos.Chaos("test.plain"), false)
	chaos.Reset()
	equal(t, "armed after Reset", plain.Armed(), false)
}

func TestVerbsHaveNoLabels(t *testing.T) {
	arm(t, beat, chaos.Match("worker", "w-0"))
	equal(t, "Chaos", chaos.Chaos("test.beat"), false)
	equal(t, "Raise", chaos.Raise("test.beat"), nil)
}

func TestADelayIsNoFailureForChaos(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Delay(time.Second))
		from := time.Now()
		equal(t, "Chaos", chaos.Chaos("test.plain"), false)
		equal(t, "time", time.Since(from), time.Second)
	})
}

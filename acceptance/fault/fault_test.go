package fault_test

import (
	"testing"
	"time"

	"iris/acceptance/fault"
)

func TestFaultsReadAsSentences(t *testing.T) {
	said := map[fault.Kind]bool{}
	for want, f := range map[string]fault.Fault{
		"partition w-0 -> c-0 at 0s":                       fault.Partition("w-0", "c-0"),
		"cut w-0 <-> c-0 at 10s for 45s":                   fault.Cut("w-0", "c-0").At(10 * time.Second).For(45 * time.Second),
		"delay * -> c-0 by 1s ±500ms at 0s":                fault.Delay(fault.Anybody, "c-0", time.Second, time.Second/2),
		"lossy w-0 -> c-0 30% at 0s":                       fault.Lossy("w-0", "c-0", 0.3),
		"slow w-0 -> c-0 200 B/s at 0s":                    fault.Slow("w-0", "c-0", 200),
		"refuse w-0 -> c-0 at 0s":                          fault.Refuse("w-0", "c-0"),
		"reset w-0 <-> c-0 at 1m0s":                        fault.Reset("w-0", "c-0").At(time.Minute),
		"repeat w-0 -> c-0 100% at 0s":                     fault.Repeat("w-0", "c-0", 1),
		"reorder c-0 -> w-0 50% by 3s at 0s":               fault.Reorder("c-0", "w-0", 0.5, 3*time.Second),
		"crash w-1 at 0s for 1m30s":                        fault.Crash("w-1").For(90 * time.Second),
		"restart c-0 at 0s":                                fault.Restart("c-0"),
		"freeze w-0 at 0s":                                 fault.Freeze("w-0"),
		"skew w-0 by 45s at 0s":                            fault.Skew("w-0", 45*time.Second),
		"site journal.after_commit c-0 100% 1 times at 0s": fault.AtSite("journal.after_commit", "c-0", 1, 1),
		"creation cpu quota at 0s":                         fault.Creation("cpu", "quota"),
		"taken cpu slice 1 at 0s":                          fault.Taken("cpu", 1),
		"notice cpu slice 0 by 30s at 0s":                  fault.Notice("cpu", 0, 30*time.Second),
		"broken cpu slice 2 at 0s":                         fault.Broken("cpu", 2),
		"list-lag cpu by 20s at 0s":                        fault.ListLag("cpu", 20*time.Second),
	} {
		said[f.Kind] = true
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, k := range fault.Kinds {
		if !said[k] {
			t.Errorf("there is no sentence of a %s", k)
		}
	}
}

func TestAFaultIsOverAtItsEnd(t *testing.T) {
	for _, c := range []struct {
		fault fault.Fault
		at    time.Duration
		over  bool
	}{
		{fault.Crash("w-0").At(time.Minute), time.Minute, false},
		{fault.Crash("w-0").At(time.Minute).For(time.Second), 61 * time.Second, true},
		{fault.Restart("w-0").At(time.Minute), time.Minute, true},
	} {
		if at, over := c.fault.Ends(); at != c.at || over != c.over {
			t.Errorf("%v ends at %v, %t", c.fault, at, over)
		}
	}
}

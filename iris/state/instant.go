package state

import (
	"math"
	"time"
)

// Instants are UTC wall times, kept to the nanosecond. The log has them as nanoseconds since 1970, with 0 for the zero
// time, so that they reach from 1678 to 2262. They may go back: the next leader's clock may be slower.

// forever is the last instant there is: when a limit of ten thousand years ends.
var forever = time.Unix(0, math.MaxInt64).UTC()

// wall is the instant without what the log does not keep: the time zone, and the reading of a monotonic clock that
// time.Now adds.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

// after is the instant that is d later.
func after(t time.Time, d time.Duration) time.Time {
	if at := t.Add(d); at.Before(forever) {
		return at
	}
	return forever
}

// nanos is how the log has an instant.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// instant reads what nanos wrote.
func instant(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

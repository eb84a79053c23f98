package journal

import (
	"testing"
	"time"
)

func TestOneVoterLeadsAtOnceAndKeepsWhatItCommitted(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		inBubble(t, func(t *testing.T) {
			began := time.Now()
			r := alone(t, dir)
			term := lead(t, r)
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("it took %v to lead", took)
			}
			if n := jobsOf(t, term.State()); n != 100*round {
				t.Errorf("%d jobs are there, not %d", n, 100*round)
			}
			submitAll(t, term, 100*round, 100*(round+1))
			term.End()
			closeAll(t, r)
		})
	}
}

package keeper

import (
	"fmt"
	"log/slog"
	"time"
)

// inherit takes over from an earlier keeper that left a record: it was killed, or ended when ends were yet to be
// acknowledged. Ends are held again. What ran then runs no more, because its keeper took it along, and counts as lost;
// should something be left of it all the same, it is killed.
func (k *attempts) inherit(p past, self identity, log *slog.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation = p.generation
	why := fmt.Sprintf("its keeper (process %d) ended before it did", p.keeper.Process.PID)
	for uid, e := range p.attempts {
		a := &attempt{uid: uid, phase: lost, text: why, verdict: e.Verdict}
		k.held[uid] = a
		switch {
		case e.Exit != nil:
			a.phase, a.exit, a.text = ended, *e.Exit, ""
		case e.Lost != "":
			a.text = e.Lost
		case e.Process != nil && p.keeper.Boot == self.Boot:
			a.id, a.session, a.phase, a.text, a.doom = *e.Process, e.Session, running, "", why
			if a.session == nil {
				a.session = p.keeper.session()
			}
			k.all.Go(func() { k.bury(a, log) })
		}
	}
}

// bury kills what is left of an attempt of an earlier keeper, and waits until it is gone.
func (k *attempts) bury(a *attempt, log *slog.Logger) {
	const longest = 250 * time.Millisecond
	pause, found := time.Millisecond, false
	for ; a.id.KillGroup(*a.session); pause = min(2*pause, longest) {
		if !found {
			found = true
			log.Warn("killing what an attempt left behind when its keeper ended", "attempt", a.uid, "group", a.id.PID)
		}
		time.Sleep(pause)
	}
	k.mu.Lock()
	a.phase, a.text = lost, a.doom
	k.mu.Unlock()
	k.inform(a)
}

// awaitGone waits for the most of that, so that a worker hears of it as lost and not as running yet.
func (k *attempts) awaitGone(patience time.Duration) {
	deadline := time.After(patience)
	for {
		k.mu.Lock()
		live := k.live()
		k.mu.Unlock()
		if !live {
			return
		}
		select {
		case <-k.moved:
		case <-deadline:
			return
		}
	}
}

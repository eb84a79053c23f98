// Package chaos injects faults at named sites inside production code, and proves that they happened
// (design §5).
//
// A [Site] is a place in the code, declared once as a package variable. Production code passes it; a test
// arms a [Rule] on it, drives the program, and asks whether the rule did its work:
//
//	var beat = chaos.NewSite("worker.heartbeat", "before the periodic RPC", chaos.CanAll, "worker")
//
//	if err := beat.Hit(ctx, w); err != nil { // production: w is a *Worker with a ChaosLabels method
//		return err // lost, as if the network had eaten it
//	}
//
//	lab := chaos.In("cluster-1") // test: rules that only this cluster sees
//	defer lab.Reset()
//	_, err := lab.Enable("worker.heartbeat", chaos.Match("worker", "w-0"), chaos.MaxFailures(3))
//	… let three beats be lost …
//	err = lab.Verify() // not nil if the rule never fired, and says why
//
// # Rules
//
// A rule is match × trigger × action, each given by options.
//   - Match: [Match], and the cluster of the [Scope] it was armed in.
//   - Trigger: [FailureRate], [Skip], [Every] and [Window] choose among the hits of each target;
//     [MaxFailures] and [MinFailures] bound the firings of the whole rule.
//   - Action: [Delay], then [Pause], then [Call], then failure ([Fail], [Err], [Code]), whichever were
//     given and always in that order. None given means Fail. A delay, a pause or a callback alone does not
//     fail.
//
// A rule can have several steps, one after the other, each with its own share, number of firings and action
// ([Then], [Pass]): the first two hits fail, the next five pass, and then half of them fail. Counts of steps are
// exact and, like MaxFailures, those of the rule over all targets. A rule without Then has one step.
//
// An option given twice: the last one counts, except Match, where all must hold, and Then, which adds a step.
// Several rules on one site are tried in the order of arming: their delays add up, and the first that fails
// ends the hit, so that later rules do not see it.
//
// # Rules as text
//
// [Rule.String] prints a rule, and [EnableText] and [EnableAll] arm what such a text says: from a command
// line, the environment, or another process. A text has rules; a semicolon or the end of the line ends a
// rule, and # begins a comment.
//
//	rule  =  site [ "[" label { "," label } "]" ] [ "=" step { "->" step } ] { clause }
//	label =  key "=" value
//	step  =  [ count "*" ] [ share "%" ] does { "+" does }  |  "skip" "(" count ")"
//	does  =  "delay" "(" duration ")"  |  "pause"  |  "error" [ "(" ( text | code | text "," code ) ")" ]
//
//	worker.heartbeat                                     every beat is lost
//	worker.heartbeat[worker=w-0] rate 0.5 max 3 delay 3s fail
//	controller.dispatch[cluster=demo,job="a, b"] window 10s to 1m0s err "cable cut" code Aborted
//	controller.dispatch[worker=w-3]=2*delay(3s)+error(Unavailable)->skip(5)->50%error seed 7
//
// Keys and values are plain words, or texts in double quotes as in Go. These need quotes: the empty text,
// and one that has white space, a control character, or any of " [ ] , = ; #. The label cluster names the
// scope of the rule. The clauses may stand in any order, each at most once:
//
//	clause           option       operand
//	rate 0.5         FailureRate  a number from 0 to 1
//	skip 3           Skip         a whole number
//	every 3          Every        a whole number, 1 or more
//	window 0s to 1m  Window       two durations
//	min 3            MinFailures  a whole number
//	max 3            MaxFailures  a whole number
//	seed 7           WithSeed     a whole number
//	may-not-fire     MayNotFire
//	delay 1m30s      Delay        a duration: numbers with the units ns, us, ms, s, m, h
//	pause            Pause
//	fail             Fail
//	err "disk full"  Err          a text in double quotes, as in Go
//	code Aborted     Code         a gRPC code: DeadlineExceeded, or DEADLINE_EXCEEDED
//
// Steps are for rules that have several: a rule with one prints as clauses, worker.heartbeat=3*50%error as
// worker.heartbeat rate 0.5 max 3 fail. A count is the number of firings after which the next step begins, a share
// the percentage of hits that fire. skip(5) lets five hits pass, of whatever targets; the clause skip 5 keeps the first
// five of each target from all steps. After steps stand the clauses of the whole rule: skip, every, window, min, seed
// and may-not-fire.
//
// Every rule without [Call] can be said. Not in the text are its [ID], and of an error anything but its text
// and code. A seed that nobody chose is left out while it is 0, so that the text takes the default of where
// it is read.
//
// # Guarantees
//
//   - An idle site costs one inlined atomic load and no allocation, whatever other sites are armed.
//   - A misspelt key or an impossible rule is refused with an error that says what is allowed, and changes
//     nothing.
//   - A draw depends on seed, site, target and the target's nth matched hit, on nothing else: the same seed
//     gives each target the same faults, however goroutines interleave. A higher rate only adds faults to
//     those of a lower one. Two rules with one seed on one site draw alike; [WithSeed] sets them apart.
//   - MaxFailures is exact under any contention. With several targets, arrival decides which of them get
//     the firings that MaxFailures or MinFailures ration; match one target where that matters.
//   - Waits hold no lock, overlap freely, and end when their time is over, their context ends, or the rule
//     is disarmed. A wait cut short by disarming lets the hit go on: the rest of the rule (its failure too)
//     does not happen.
//   - Once [Reset] or [Rule.Disarm] has returned, the rules concerned decide nothing any more.
//   - A [Watch] costs a firing one atomic load while nobody watches, and never holds it up.
//   - An injected failure is a new error each time, is [ErrInjected], and is a true gRPC status.
//
// # What to mind
//
//   - testing/synctest: arm, wait, release and disarm inside the bubble whose goroutines pass the site. The
//     runtime ends the process when a waiter is woken from outside its bubble. A rule nobody waits at holds
//     no channel, so a rule left over from a finished bubble may be reset from anywhere.
//   - A rule keeps one small counter per cluster and target, and its last 1024 firings, until Reset drops
//     the rule. Identify targets by labels with few values (worker), not by ever new ones (attempt).
//   - A rule lives in one process and ends with it. Whoever arms a [Pause] from another process must be able
//     to release or disarm it from there as well.
//   - A hit whose context has no scope, and whose labels have no cluster, is seen by rules of no scope alone.
//   - [Watch]: its reader belongs into the bubble whose goroutines fire, as waiters do.
//   - Reset forgets: afterwards there is nothing left to verify. Disarm a rule to heal, [Verify], then
//     Reset.
//
// [Enable], [Chaos], [Raise] and [Reset] are the plain verbs for keys that come as strings.
package chaos

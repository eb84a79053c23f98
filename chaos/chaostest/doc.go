// Package chaostest gives a test faults of its own: rules that only its own calls see, that are gone when it ends,
// and that fail it if they never did their work.
//
//	func TestAnOrderSurvivesALostAnswer(t *testing.T) {
//		t.Parallel()
//		lab := chaostest.New(t)
//		lab.EnableText("orders.save=2*error->skip(1)->50%delay(1s)")
//		err := place(lab.Context(), order) // the code under test passes the context on to its sites
//		…
//	}
//
// [New] takes a *testing.T, *testing.B or *testing.F, or what Ginkgo's GinkgoT() returns.
//
// # Whose hits a lab sees
//
// A lab is a [chaos.Scope] of the test's name. It sees hits with a context that comes from [Lab.Context], and hits whose
// label "cluster" is [Lab.Name], which is for what has no context at hand: give the name to what is built for the test.
// Tests that run in parallel, subtests too, do not see each other's rules. Other hits are nobody's: the rule says at the
// end that they came from elsewhere. A rule armed with [chaos.Enable] itself, for every cluster, is everybody's.
//
// # At the end of the test
//
// All rules are disarmed, and what they hold goes on. Unless the test has failed already, or was skipped, each rule must
// have fired, as [chaos.Verify] has it: once, or its MinFailures, and each of its steps; MayNotFire exempts it. If
// not, the test fails, and the message says how far the rule came: never reached, reached but not matched, matched but
// never drawn, or fired too seldom.
//
// If the test fails, for this reason or another, it prints what its rules did, each firing with its time since New, and
// the command that repeats it.
//
// # The seed
//
// What is drawn (a rate, a share) follows from a seed. It is 0 unless the environment variable CHAOS_SEED has another
// whole number, so that a test does the same each time. CHAOS_SEED=random draws one for each test; the command that repeats
// the test has it.
package chaostest

// Package acceptance is what Iris promises, as specs against a real cluster, with faults switched on inside it.
//
// A [Scenario] is written once and runs in every [Mode]: in virtual time, over the in-memory network, with functions as
// tasks; on the wall clock, over TCP, with processes as tasks; and as daemons, each participant a process of its own whose
// faults are switched on from outside. Each spec has its own cluster, booted before it and stopped after it, and ends with
// what must hold whatever happened: every armed fault fired, the invariants hold, nothing runs that the controller ended,
// and nothing is left behind.
//
// The specs live in ordinary packages below this one; the one suite file at the repository's root imports them.
package acceptance

import "github.com/onsi/ginkgo/v2"

// Arm arms chaos rules before the cluster boots. Pass it to Scenario.
type Arm func(Faults)

// Scenario declares a situation and its specs, in each mode. Arguments are labels (string), an Arm, Wishes, Withouts or an Only, and
// the body, which declares the specs with It; the cluster it is given is the running spec's.
func Scenario(text, area string, args ...any) bool {
	var arm Arm
	var wishes []Wish
	var body func(*Cluster)
	further := []any{area}
	for _, arg := range args {
		switch a := arg.(type) {
		case Arm:
			arm = a
		case Wish:
			wishes = append(wishes, a)
		case func(*Cluster):
			body = a
		default:
			further = append(further, arg)
		}
	}
	return InEachMode(text, append(further, func(m *Mode) {
		c := &Cluster{Mode: m}
		ginkgo.BeforeEach(func(ctx ginkgo.SpecContext) { c.boot(ctx, arm, wishes) })
		ginkgo.AfterEach(func(ctx ginkgo.SpecContext) { c.settle(ctx) })
		body(c)
	})...)
}

package chaos_test

import (
	"context"
	"fmt"

	"iris/chaos"
)

// node is the production side: it passes the site before each beat.
type node struct{ cluster, id string }

var nodeBeat = chaos.NewSite("demo.beat", "before the periodic RPC", chaos.CanAll, "worker")

func (n *node) ChaosLabels() chaos.Labels { return chaos.Labels{"cluster": n.cluster, "worker": n.id} }

func (n *node) beat(ctx context.Context) string {
	if err := nodeBeat.Hit(ctx, n); err != nil {
		return fmt.Sprintf("%s lost a beat (%v)", n.id, err)
	}
	return n.id + " beats"
}

// A test arms a rule, drives the program, and asks whether the rule did its work.
func Example() {
	lab := chaos.In("cluster-1")
	defer lab.Reset()
	if _, err := lab.Enable("demo.beat", chaos.Match("worker", "w-0"), chaos.MaxFailures(2)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(lab.Verify())
	for range 3 {
		fmt.Println((&node{"cluster-1", "w-0"}).beat(context.Background()))
	}
	fmt.Println(lab.Verify())
	// Output:
	// chaos: rule demo.beat[cluster=cluster-1,worker=w-0] max 2 fail: never reached
	// w-0 lost a beat (chaos: demo.beat)
	// w-0 lost a beat (chaos: demo.beat)
	// w-0 beats
	// <nil>
}

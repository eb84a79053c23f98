package chaos_test

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

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

// A rule is said as text, prints as text, and acts as one that was armed by options.
func ExampleEnableText() {
	defer chaos.Reset()
	rule, err := chaos.EnableText(`demo.beat[cluster=cluster-1,worker="w 0"] max 1 err "cable cut" code ABORTED`)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(rule)
	fmt.Println((&node{"cluster-1", "w 0"}).beat(context.Background()))
	fmt.Println((&node{"cluster-1", "w 0"}).beat(context.Background()))
	// Output:
	// demo.beat[cluster=cluster-1,worker="w 0"] max 1 err "cable cut" code Aborted
	// w 0 lost a beat (cable cut)
	// w 0 beats
}

// Steps come one after the other.
func ExampleThen() {
	defer chaos.Reset()
	rule, err := chaos.Enable("demo.beat", chaos.MaxFailures(1), chaos.Code(codes.Aborted),
		chaos.Then(chaos.Pass(2)), chaos.Then(chaos.Err(errors.New("cable cut"))))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(rule)
	for range 4 {
		fmt.Println((&node{"cluster-1", "w-0"}).beat(context.Background()))
	}
	// Output:
	// demo.beat=1*error(Aborted)->skip(2)->error("cable cut")
	// w-0 lost a beat (chaos: demo.beat)
	// w-0 beats
	// w-0 beats
	// w-0 lost a beat (cable cut)
}

// A text with a mistake changes nothing, and the error says how to mend it.
func ExampleEnableAll() {
	defer chaos.Reset()
	_, err := chaos.EnableAll(`
		demo.beat[worker=w-0] rate 0.5 delay 3   # slow
		demo.beat[worker=w-1] rate 50%           # lost
	`)
	fmt.Println(err)
	fmt.Println(len(chaos.Rules()), "rules")
	// Output:
	// chaos: line 2, column 40: found "3", want a duration for delay, such as 500ms, 3s or 1m30s
	// chaos: line 3, column 30: found "50%", want a number from 0 to 1 for rate, such as 0.5
	// 0 rules
}

// A watch hands out what fires, as it happens.
func ExampleScope_Watch() {
	lab := chaos.In("cluster-1")
	defer lab.Reset()
	watch := lab.Watch()
	defer watch.Stop()
	if _, err := lab.EnableText("demo.beat skip 1 fail"); err != nil {
		fmt.Println(err)
	}
	for range 2 {
		(&node{"cluster-1", "w-0"}).beat(context.Background())
	}
	event, err := watch.Next(context.Background())
	fmt.Println(event.Firing.Site, event.Firing.Target, event.Firing.Nth, event.Firing.Action, err)
	// Output:
	// demo.beat w-0 2 fail <nil>
}

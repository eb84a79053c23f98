// Package chronos runs specs in virtual time.
//
// A container decorated with [Virtual] runs every node of each of its specs inside one testing/synctest bubble: the
// clock stands still while anybody works and jumps to the next timer when everybody waits. The code under test uses
// plain time, context and gRPC; ninety seconds of timeouts pass in milliseconds.
//
//	var _ = Describe("a lease", chronos.Virtual(), func() {
//		It("runs out after a minute", func(ctx SpecContext) { time.Sleep(time.Minute) … })
//	})
//
// The suite hands its *testing.T to [Use] before RunSpecs. A spec that leaves a goroutine behind fails: a bubble
// cannot end before all it started has ended. Inside a bubble nothing may block on what is outside of it: no socket,
// no subprocess. Interleaving is not deterministic; what must replay exactly belongs into tests of pure code.
package chronos

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// suite is the *testing.T that bubbles need.
var suite *testing.T

// open is the bubble of the spec that runs now; specs of one process run one after another.
var open *bubble

// Use gives bubbles their *testing.T and makes each end with its spec. Call it once, before RunSpecs; and after
// PreviewSpecs, which makes ginkgo forget every node that is in no container.
func Use(t *testing.T) {
	suite = t
	ginkgo.ReportAfterEach(func(ginkgo.SpecReport) {
		if open == nil {
			return
		}
		left := open.close()
		open = nil
		if left != "" {
			ginkgo.Fail("the spec left something running: " + left)
		}
	})
}

// Virtual decorates a container (or a spec) to run in virtual time.
func Virtual() types.AroundNodeDecorator {
	return ginkgo.AroundNode(func(ctx context.Context, body func(context.Context)) {
		spec := ginkgo.CurrentSpecReport()
		if open == nil {
			open = start(spec.StartTime)
		}
		if !open.spec.Equal(spec.StartTime) {
			panic("chronos: an earlier spec's bubble is still open: call chronos.Use(t) after PreviewSpecs")
		}
		open.run(ctx, body)
	})
}

// patience is how long, in real time, a bubble may take to end or to become free for a node. Neither takes any time
// unless somebody in the bubble spins or waits for what is outside.
const patience = 10 * time.Second

// bubble is one synctest bubble. Its root goroutine receives work over a channel made outside: blocked there it does
// not count as waiting, so time stands still between nodes.
type bubble struct {
	spec time.Time // when its spec began, which tells it from others
	name string    // as the runtime has it in stack traces; set before the first node runs
	work chan func()
	over chan struct{} // closed when it has ended
	why  string        // what synctest complained about; set before over is closed
}

func start(spec time.Time) *bubble {
	b := &bubble{spec: spec, work: make(chan func()), over: make(chan struct{})}
	if suite == nil {
		panic("chronos: call chronos.Use(t) before RunSpecs")
	}
	restore := oneProcessor()
	go func() {
		defer close(b.over)
		defer restore()
		defer func() {
			if p := recover(); p != nil {
				b.why = fmt.Sprintf("%v\n\n%s", p, b.stacks())
			}
		}()
		synctest.Test(suite, func(*testing.T) {
			b.name = inBubble.FindString(stacks(false))
			for node := range b.work {
				ended := make(chan struct{})
				go func() { // it may end its goroutine, as t.FailNow does; that must not be the root
					defer close(ended)
					node()
				}()
				<-ended
			}
		})
	}()
	return b
}

// run has the bubble run a node's body. It panics if the body does not come to its end; of two reasons ginkgo takes the
// first, so that what the body itself said stands.
func (b *bubble) run(ctx context.Context, body func(context.Context)) {
	ctx.Done() // a context makes its channel when first asked: it must not be made inside
	finished := make(chan bool, 1)
	node := func() {
		completed := false
		defer func() { finished <- completed }()
		defer ginkgo.GinkgoRecover() // here, where the stack is that of the panic; a failed assertion is one too
		inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		body(inner)
		completed = true
	}
	select {
	case b.work <- node:
	case <-b.over:
		panic("the bubble broke: " + b.why)
	case <-time.After(patience):
		panic("the bubble is busy with an earlier node:\n\n" + b.stacks())
	}
	select {
	case completed := <-finished:
		if !completed {
			panic("the node's goroutine was ended (runtime.Goexit)")
		}
	case <-b.over:
		panic("the bubble broke: " + b.why)
	}
}

// close ends the bubble and returns what it has left behind, or "".
func (b *bubble) close() string {
	close(b.work)
	select {
	case <-b.over:
		return b.why
	case <-time.After(patience):
		return fmt.Sprintf("it has not ended after %v\n\n%s", patience, b.stacks())
	}
}

var inBubble = regexp.MustCompile(`synctest bubble \d+\b`)

// stacks are the traces of the goroutines in the bubble, without those of synctest itself.
func (b *bubble) stacks() string {
	var own []string
	for trace := range strings.SplitSeq(stacks(true), "\n\n") {
		if inBubble.FindString(trace) == b.name && !strings.Contains(trace, "\ntesting/synctest.") {
			own = append(own, trace)
		}
	}
	return strings.Join(own, "\n\n")
}

// stacks are the traces of this goroutine or of all.
func stacks(all bool) string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, all)])
}

// Now is the current instant of the clock that the caller lives in: virtual inside a bubble, real outside.
func Now() time.Time { return time.Now() }

// Sleep lets d pass.
func Sleep(d time.Duration) { time.Sleep(d) }

// Tick lets d pass and then everything happen that is due by then. Only inside a bubble.
func Tick(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TickUntilIdle ticks step by step until idle returns true, and then returns how long that took. It gives up after a
// thousand steps, saying so. Only inside a bubble.
func TickUntilIdle(step time.Duration, idle func() bool) (time.Duration, error) {
	const most = 1000
	began := time.Now()
	for range most {
		synctest.Wait()
		if idle() {
			return time.Since(began), nil
		}
		time.Sleep(step)
	}
	return time.Since(began), fmt.Errorf("not idle after %d ticks of %v", most, step)
}

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
	"errors"
	"fmt"
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

// Use gives bubbles their *testing.T and makes each end with its spec. Call it once, before RunSpecs.
func Use(t *testing.T) {
	suite = t
	ginkgo.ReportAfterEach(func(ginkgo.SpecReport) {
		if open == nil {
			return
		}
		leak := open.close()
		open = nil
		if leak != nil {
			ginkgo.Fail(fmt.Sprintf("the spec left something running: %v", leak))
		}
	})
}

// Virtual decorates a container (or a spec) to run in virtual time.
func Virtual() types.AroundNodeDecorator {
	return ginkgo.AroundNode(func(ctx context.Context, body func(context.Context)) {
		if open == nil {
			open = start()
		}
		open.run(ctx, body)
	})
}

// bubble is one synctest bubble. Its root goroutine receives work over a channel made outside: blocked there it does not
// count as waiting, so time stands still between nodes.
type bubble struct {
	work chan func()
	over chan any // what synctest panicked with, or nil
}

func start() *bubble {
	b := &bubble{work: make(chan func()), over: make(chan any, 1)}
	if suite == nil {
		panic("chronos: call chronos.Use(t) before RunSpecs")
	}
	restore := oneProcessor()
	go func() {
		defer func() {
			p := recover()
			restore()
			b.over <- p
		}()
		synctest.Test(suite, func(*testing.T) {
			for node := range b.work {
				node()
			}
		})
	}()
	return b
}

// run has the bubble run a node's body, and brings a panic of the body (a failed assertion is one) back to the caller.
func (b *bubble) run(ctx context.Context, body func(context.Context)) {
	ctx.Done() // a context makes its channel when first asked: it must not be made inside
	finished := make(chan any, 1)
	node := func() {
		completed := false
		defer func() {
			p := recover()
			if p == nil && !completed {
				p = errors.New("the node's goroutine was ended (runtime.Goexit)")
			}
			finished <- p
		}()
		inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		body(inner)
		completed = true
	}
	select {
	case b.work <- node:
	case p := <-b.over:
		b.over <- nil
		panic(fmt.Sprintf("the bubble broke: %v", p))
	}
	select {
	case p := <-finished:
		if p != nil {
			panic(p)
		}
	case p := <-b.over:
		b.over <- nil
		panic(fmt.Sprintf("the bubble broke: %v", p))
	}
}

// close ends the bubble and returns what synctest had to complain about.
func (b *bubble) close() any {
	close(b.work)
	return <-b.over
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

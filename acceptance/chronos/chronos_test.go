package chronos_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"iris/acceptance/chronos"
)

// A process runs one suite: the specs below or, when a test in fixture_test.go started it, a fixture.
func TestMain(m *testing.M) {
	declare := specs
	for _, f := range fixtures {
		if f.name == os.Getenv(fixtureVariable) {
			declare = f.declare
		}
	}
	declare()
	os.Exit(m.Run())
}

func TestChronos(t *testing.T) {
	RegisterFailHandler(Fail)
	if os.Getenv(fixtureVariable) != unused {
		chronos.Use(t)
	}
	RunSpecs(t, "chronos")
}

// epoch is when every bubble begins.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func specs() {
	Describe("virtual time", chronos.Virtual(), func() {
		Describe("spans the nodes of a spec", func() {
			var began time.Time
			BeforeEach(func() {
				began = chronos.Now()
				Expect(began).To(BeTemporally("==", epoch), "each spec has a bubble of its own")
				DeferCleanup(func() {
					Expect(chronos.Now().Sub(began)).To(Equal(10 * time.Hour))
				})
				chronos.Sleep(time.Hour)
			})
			JustBeforeEach(func() {
				Expect(chronos.Now().Sub(began)).To(Equal(time.Hour))
				chronos.Sleep(2 * time.Hour)
			})
			AfterEach(func() {
				Expect(chronos.Now().Sub(began)).To(Equal(6 * time.Hour))
				chronos.Sleep(4 * time.Hour)
			})

			It("and of the next one", func() {
				Expect(chronos.Now().Sub(began)).To(Equal(3 * time.Hour))
				chronos.Sleep(3 * time.Hour)
			})
			It("and stands still while a node works", func() {
				for range 1_000_000 {
					_ = time.Now()
				}
				Expect(chronos.Now().Sub(began)).To(Equal(3 * time.Hour))
				chronos.Sleep(3 * time.Hour)
			})
		})

		It("keeps channels and timers of one node usable in the next", func() {
			done := make(chan time.Time)
			timer := time.NewTimer(time.Minute)
			go func() { done <- <-timer.C }()
			DeferCleanup(func() {
				Expect(<-done).To(BeTemporally("==", epoch.Add(time.Minute)))
			})
		})

		It("has a node's context end with the node", func(ctx SpecContext) {
			ended := make(chan struct{})
			go func() {
				<-ctx.Done()
				close(ended)
			}()
			DeferCleanup(func() { <-ended })
		})

		It("hands the values of the node's context on", func(ctx SpecContext) {
			Expect(ctx.SpecReport().LeafNodeText).To(Equal("hands the values of the node's context on"))
		})

		It("has Eventually poll and time out by the bubble's clock", func(ctx SpecContext) {
			hour := func() int { return int(chronos.Now().Sub(epoch) / time.Hour) }
			Eventually(ctx, hour).WithTimeout(24 * time.Hour).WithPolling(time.Minute).Should(Equal(5))
			Expect(chronos.Now()).To(BeTemporally("==", epoch.Add(5*time.Hour)))

			failure := InterceptGomegaFailure(func() {
				Eventually(ctx, hour).WithTimeout(time.Hour).WithPolling(time.Minute).Should(Equal(8))
			})
			Expect(failure).To(MatchError(ContainSubstring("Timed out after 3600.000s.")))
			Expect(chronos.Now()).To(BeTemporally("==", epoch.Add(6*time.Hour)))

			Consistently(ctx, hour).WithTimeout(30 * time.Minute).WithPolling(time.Minute).Should(Equal(6))
			Expect(chronos.Now()).To(BeTemporally("==", epoch.Add(6*time.Hour+30*time.Minute)))
		})
	})

	Describe("what ticks", chronos.Virtual(), func() {
		It("Sleep lets the time pass, and what falls due meanwhile happen", func() {
			minutes := every(time.Minute)
			DeferCleanup(minutes.stop)
			chronos.Sleep(150 * time.Second)
			Expect(minutes.ticks()).To(Equal([]time.Duration{time.Minute, 2 * time.Minute}))
		})

		It("Tick has done by its return what is due at that very instant", func() {
			minutes := every(time.Minute)
			DeferCleanup(minutes.stop)
			chronos.Tick(time.Minute)
			Expect(minutes.ticks()).To(Equal([]time.Duration{time.Minute}))
			chronos.Tick(2 * time.Minute)
			Expect(minutes.ticks()).To(Equal([]time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}))
		})

		It("Tick takes no time but its argument", func() {
			chronos.Tick(0)
			chronos.Tick(time.Nanosecond)
			Expect(chronos.Now()).To(BeTemporally("==", epoch.Add(time.Nanosecond)))
		})

		It("TickUntilIdle ticks until the condition holds, and says how long that took", func() {
			minutes := every(time.Minute)
			DeferCleanup(minutes.stop)
			took, err := chronos.TickUntilIdle(7*time.Second, func() bool { return len(minutes.ticks()) == 3 })
			Expect(err).NotTo(HaveOccurred())
			Expect(took).To(Equal(26*7*time.Second), "the first multiple of seven seconds after three minutes")
			Expect(chronos.Now()).To(BeTemporally("==", epoch.Add(took)))
		})

		It("TickUntilIdle lets what is due happen before it first asks, and takes no time if that is enough", func() {
			done := false
			go func() { done = true }()
			took, err := chronos.TickUntilIdle(time.Second, func() bool { return done })
			Expect(err).NotTo(HaveOccurred())
			Expect(took).To(BeZero())
		})

		It("TickUntilIdle gives up after a thousand ticks, and says so", func() {
			asked := 0
			took, err := chronos.TickUntilIdle(time.Second, func() bool { asked++; return false })
			Expect(err).To(MatchError("not idle after 1000 ticks of 1s"))
			Expect(took).To(Equal(1000 * time.Second))
			Expect(asked).To(Equal(1000))
		})
	})

	// The nodes out here are on the wall clock, those inside are not.
	Describe("the wall clock, next to virtual time", func() {
		var began time.Time
		BeforeEach(func() {
			began = chronos.Now()
			Expect(began).To(BeTemporally(">", epoch.AddDate(20, 0, 0)))
		})

		Describe("around a spec in virtual time", chronos.Virtual(), func() {
			AfterEach(func() {
				Expect(chronos.Now()).To(BeTemporally(">=", epoch.Add(10*time.Hour)))
			})
			It("sees ten hours pass, second by second, within milliseconds", func() {
				for range 10 * 60 * 60 {
					chronos.Sleep(time.Second)
				}
			})
			It("sees ten hours pass at once", func() {
				chronos.Sleep(10 * time.Hour)
			})
		})
		It("sees a day pass in a single spec in virtual time", chronos.Virtual(), func() {
			chronos.Sleep(24 * time.Hour)
			Expect(chronos.Now()).To(BeTemporally("==", epoch.AddDate(0, 0, 1)))
		})
		It("is what a spec outside of a bubble runs by", func() {
			chronos.Sleep(10 * time.Millisecond)
		})

		AfterEach(func() {
			Expect(chronos.Now().Sub(began)).To(And(BeNumerically(">", 0), BeNumerically("<", 10*time.Second)))
		})
	})

	Describe("a spec's goroutines", Ordered, chronos.Virtual(), func() {
		ended := false // written by a goroutine of one spec, read by the next without a lock
		It("may still run when the spec ends", func(ctx SpecContext) {
			go func() {
				<-ctx.Done()
				ended = true
			}()
		})
		It("have ended when the next spec begins", func() {
			Expect(ended).To(BeTrueBecause("a bubble ends after all that it started"))
		})
	})
}

// ticker notes the instants of its ticks.
type ticker struct {
	mu     sync.Mutex
	at     []time.Duration // since the epoch
	cancel context.CancelFunc
	ended  chan struct{}
}

func every(period time.Duration) *ticker {
	ctx, cancel := context.WithCancel(context.Background())
	t := &ticker{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		ticks := time.NewTicker(period)
		defer ticks.Stop()
		for {
			select {
			case now := <-ticks.C:
				t.mu.Lock()
				t.at = append(t.at, now.Sub(epoch))
				t.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return t
}

func (t *ticker) ticks() []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.at)
}

// stop ends the ticker and its goroutine.
func (t *ticker) stop() {
	t.cancel()
	<-t.ended
}

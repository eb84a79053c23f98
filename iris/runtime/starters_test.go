package runtime

import (
	"context"
	"errors"
	goruntime "runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// One command that cannot be started, or all of them, must not keep others from being started.
func TestStartersThatAreStuckGetHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarters()
		defer s.close()
		free := make(chan struct{})
		var stuck sync.WaitGroup
		defer stuck.Wait()
		defer close(free)
		began := time.Now()
		for range goruntime.NumCPU() {
			stuck.Go(func() {
				if err := s.do(t.Context(), func() { <-free }); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := s.do(t.Context(), func() {}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != starterPatience {
			t.Errorf("it took %v", took)
		}
	})
}

func TestStartersDoNothingForAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarters()
		defer s.close()
		free := make(chan struct{})
		var stuck sync.WaitGroup
		defer stuck.Wait()
		defer close(free)
		for range startersMost {
			stuck.Go(func() { _ = s.do(t.Context(), func() { <-free }) })
		}
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.do(ctx, func() { t.Error("done") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if s.number != startersMost {
			t.Errorf("%d threads", s.number)
		}
	})
}

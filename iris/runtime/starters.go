package runtime

import (
	"context"
	goruntime "runtime"
	"sync"
	"time"
)

// starters are threads that start commands. They last as long as a command that they started, because the kernel ties
// a command to the thread that started it (see Process).
type starters struct {
	work chan func()
	quit chan struct{} // closed when they are to end
	all  sync.WaitGroup

	first  sync.Once // starts those that there always are
	mu     sync.Mutex
	number int
	moved  time.Time // when one of them was last done with something, or was added
}

const (
	starterPatience = 100 * time.Millisecond // until another thread is added because all are stuck
	startersMost    = 64
)

func newStarters() *starters {
	return &starters{work: make(chan func()), quit: make(chan struct{})}
}

// do has a starter call f, and waits until it has. There are as many of them as processors; more are added while all are
// stuck, as in a command on a file system that does not answer. It returns ctx's error if that ends before f is called.
func (s *starters) do(ctx context.Context, f func()) error {
	s.first.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for range goruntime.NumCPU() {
			s.add()
		}
	})
	done := make(chan struct{})
	work := func() {
		defer close(done)
		f()
	}
	select {
	case s.work <- work:
		<-done
		return nil
	default:
	}
	patience := time.NewTicker(starterPatience)
	defer patience.Stop()
	for {
		select {
		case s.work <- work:
			<-done
			return nil
		case <-patience.C:
			s.grow()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *starters) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number < startersMost && time.Since(s.moved) >= starterPatience {
		s.add()
	}
}

func (s *starters) add() {
	s.number++
	s.moved = time.Now()
	s.all.Go(func() {
		goruntime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		for {
			select {
			case work := <-s.work:
				work()
				s.move()
			case <-s.quit:
				return
			}
		}
	})
}

func (s *starters) move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = time.Now()
}

// close ends the threads, and with them what they started.
func (s *starters) close() {
	close(s.quit)
	s.all.Wait()
}

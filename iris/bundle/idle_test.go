package bundle

import (
	"bytes"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stored puts an archive into a store.
func stored(t *testing.T, s *Store, text string) Hash {
	t.Helper()
	h := Of([]byte(text))
	if err := s.Put(t.Context(), h, bytes.NewReader([]byte(text))); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhatIsUsedIsNotIdle(t *testing.T) {
	for name, use := range map[string]func(*testing.T, *Store, Hash){
		"put": func(t *testing.T, s *Store, h Hash) { stored(t, s, "an archive") },
		"asked for": func(t *testing.T, s *Store, h Hash) {
			if !s.Has(h) {
				t.Error("it is gone")
			}
		},
		"opened": func(t *testing.T, s *Store, h Hash) {
			f, _, err := s.Open(h)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := store(t)
				h := stored(t, s, "an archive")
				wantIdle(t, s, time.Now())
				time.Sleep(time.Hour)
				wantIdle(t, s, time.Now(), h)
				use(t, s, h)
				wantIdle(t, s, time.Now())
				if removed, err := s.RemoveIdle(h, time.Now()); removed || err != nil {
					t.Errorf("what is in use is removed: %v, %v", removed, err)
				}
				time.Sleep(1 * time.Nanosecond)
				if removed, err := s.RemoveIdle(h, time.Now()); !removed || err != nil {
					t.Errorf("what is idle is removed: %v, %v", removed, err)
				}
				if removed, err := s.RemoveIdle(h, time.Now()); removed || err != nil {
					t.Errorf("what is gone is removed: %v, %v", removed, err)
				}
				if s.Has(h) {
					t.Error("it is still there")
				}
			})
		})
	}
}

func wantIdle(t *testing.T, s *Store, since time.Time, want ...Hash) {
	t.Helper()
	got, err := s.Idle(since)
	if err != nil || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		t.Errorf("idle are %v (%v), want %v", got, err, want)
	}
}

// An upload that takes long is at its archive all the time.
func TestWhatIsComingIsNotRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dir := store(t)
		body := []byte("an archive")
		h := Of(body)
		from, to := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- s.Put(t.Context(), h, from) }()
		time.Sleep(time.Hour)
		if removed, err := s.RemoveIdle(h, time.Now()); removed || err != nil {
			t.Errorf("it is removed: %v, %v", removed, err)
		}
		wantIdle(t, s, time.Now())
		if _, err := to.Write(body); err != nil {
			t.Error(err)
		}
		if err := to.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil || len(names(t, dir)) != 1 {
			t.Errorf("it is stored: %v, %v", err, names(t, dir))
		}
	})
}

// Whoever asks for an archive that is being removed hears what is true afterwards.
func TestARemovalIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := store(t)
		h := stored(t, s, "an archive")
		if !s.leave(h) {
			t.Fatal("it cannot be removed")
		}
		answer := make(chan bool, 1)
		go func() { answer <- s.Has(h) }()
		synctest.Wait()
		if len(answer) > 0 {
			t.Error("it is answered before the removal is over")
		}
		if err := os.Remove(s.path(h)); err != nil {
			t.Fatal(err)
		}
		s.left(h)
		if <-answer {
			t.Error("it is there after it was removed")
		}
		if n := len(s.claims.users) + len(s.claims.leaving); n != 0 {
			t.Errorf("%d archives are still claimed", n)
		}
	})
}

// Whichever comes first, an upload or the removal of what had been idle: what is acknowledged is there.
func TestAnAcknowledgedArchiveIsThere(t *testing.T) {
	s, _ := store(t)
	h, since := stored(t, s, "an archive"), time.Now().Add(-time.Hour)
	for range 200 {
		old := since.Add(-time.Hour)
		if err := os.Chtimes(s.path(h), old, old); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.RemoveIdle(h, since); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := s.Put(t.Context(), h, bytes.NewReader([]byte("an archive"))); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if !s.Has(h) {
			t.Fatal("it was put and is gone")
		}
	}
}

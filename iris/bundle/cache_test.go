package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func cache(t testing.TB, dir string, max int64) *Cache {
	t.Helper()
	c, err := NewCache(dir, max)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// source serves bodies and counts how often it was asked.
type source struct{ asked atomic.Int32 }

func (s *source) of(body string) func(context.Context, io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		s.asked.Add(1)
		_, err := io.WriteString(w, body)
		return err
	}
}

// slow writes body after a second, unless its context ends before.
func (s *source) slow(body string) func(context.Context, io.Writer) error {
	return s.after(time.Second, body)
}

func (s *source) after(d time.Duration, body string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		s.asked.Add(1)
		select {
		case <-time.After(d):
			_, err := io.WriteString(w, body)
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// use gets body and returns what releases it.
func use(t testing.TB, c *Cache, s *source, body string) (path string, release func()) {
	t.Helper()
	path, release, err := c.Get(t.Context(), Of([]byte(body)), s.of(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != body {
		t.Fatalf("got %q, %v", got, err)
	}
	return path, release
}

// held lists the bodies in a cache's directory.
func held(t testing.TB, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got[string(body)] = true
	}
	return got
}

func TestCacheDownloadsOnce(t *testing.T) {
	var s source
	c := cache(t, t.TempDir(), 100)
	one, release1 := use(t, c, &s, "abc")
	two, release2 := use(t, c, &s, "abc")
	release1()
	release2()
	three, release3 := use(t, c, &s, "abc")
	release3()
	if one != two || two != three || s.asked.Load() != 1 {
		t.Errorf("%d downloads to %s, %s, %s", s.asked.Load(), one, two, three)
	}
}

func TestCacheKeepsNothingOfAFailedDownload(t *testing.T) {
	broken := errors.New("connection reset")
	for _, c := range []struct {
		name  string
		fetch func(context.Context, io.Writer) error
		want  error
	}{
		{"other content", func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "abd")
			return err
		}, ErrHashMismatch},
		{"nothing", func(context.Context, io.Writer) error { return nil }, ErrHashMismatch},
		{"a broken stream", func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "ab")
			return errors.Join(err, broken)
		}, broken},
		{"too much, and fetch does not care", func(_ context.Context, w io.Writer) error {
			io.WriteString(w, strings.Repeat("x", 101))
			return nil
		}, ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ca := cache(t, dir, 100)
			path, release, err := ca.Get(t.Context(), hashOfAbc, c.fetch)
			if !errors.Is(err, c.want) || path != "" || release != nil {
				t.Errorf("got %q, %v; want %v", path, err, c.want)
			}
			if got := held(t, dir); len(got) != 0 {
				t.Errorf("the directory holds %v", got)
			}
			_, release = use(t, ca, new(source), "abc") // the next one tries again
			release()
		})
	}
}

func TestCacheRefusesWhatIsNoHash(t *testing.T) {
	_, _, err := cache(t, t.TempDir(), 100).Get(t.Context(), "../evil", new(source).of("x"))
	if !errors.Is(err, errBadHash) {
		t.Errorf("got %v", err)
	}
	if _, err := NewCache(t.TempDir(), 0); err == nil {
		t.Error("a cache for nothing is accepted")
	}
}

func TestCacheNoticesAFileThatWasCutOrRemoved(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut":     func(path string) error { return os.Truncate(path, 2) },
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			var s source
			dir := t.TempDir()
			c := cache(t, dir, 100)
			old, releaseOld := use(t, c, &s, "abc")
			if err := damage(old); err != nil {
				t.Fatal(err)
			}
			_, release := use(t, c, &s, "abc")
			releaseOld()
			release()
			if s.asked.Load() != 2 || c.size != 3 {
				t.Errorf("%d downloads, %d bytes counted", s.asked.Load(), c.size)
			}
			if got := names(t, dir); len(got) != 1 {
				t.Errorf("the directory holds %q", got)
			}
		})
	}
}

func TestCacheEvictsTheLeastRecentlyUsedThatNobodyUses(t *testing.T) {
	var s source
	dir := t.TempDir()
	c := cache(t, dir, 8)
	_, pinned := use(t, c, &s, "aaa")
	_, release := use(t, c, &s, "bbb")
	release()
	_, release = use(t, c, &s, "cc")
	release()
	_, release = use(t, c, &s, "bbb") // now cc is the oldest
	release()
	_, release = use(t, c, &s, "dd")
	release()
	if diff := cmp.Diff(map[string]bool{"aaa": true, "bbb": true, "dd": true}, held(t, dir)); diff != "" {
		t.Error(diff)
	}
	_, release = use(t, c, &s, "12345678") // more than fits beside what is in use
	if diff := cmp.Diff(map[string]bool{"aaa": true, "12345678": true}, held(t, dir)); diff != "" {
		t.Error(diff)
	}
	pinned()
	pinned()
	if diff := cmp.Diff(map[string]bool{"12345678": true}, held(t, dir)); diff != "" {
		t.Error(diff)
	}
	release()
}

func TestCacheUsesWhatAnEarlierOneLeftOnceItIsVerified(t *testing.T) {
	var s source
	dir := t.TempDir()
	c := cache(t, dir, 100)
	good, release := use(t, c, &s, "good")
	release()
	bad, release := use(t, c, &s, "bad!")
	release()
	write(t, bad, "evil")
	write(t, filepath.Join(dir, incoming+string(hashOfAbc)+".1"), "ab")

	s.asked.Store(0)
	c = cache(t, dir, 100)
	path, release := use(t, c, &s, "good")
	release()
	if path != good || s.asked.Load() != 0 {
		t.Errorf("%d downloads for what was there", s.asked.Load())
	}
	_, release = use(t, c, &s, "bad!")
	release()
	if s.asked.Load() != 1 || c.size != 8 {
		t.Errorf("%d downloads for what was spoilt, %d bytes counted", s.asked.Load(), c.size)
	}
	if diff := cmp.Diff(map[string]bool{"good": true, "bad!": true}, held(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestCacheThatIsOpenedSmallerShrinks(t *testing.T) {
	var s source
	dir := t.TempDir()
	c := cache(t, dir, 100)
	then := time.Now()
	for i, body := range []string{"new", "old", "older"} {
		path, release := use(t, c, &s, body)
		release()
		at := then.Add(-time.Duration(i) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	cache(t, dir, 6)
	if diff := cmp.Diff(map[string]bool{"new": true, "old": true}, held(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestCacheSharesADownload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := cache(t, dir, 100)
		began := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				_, release, err := c.Get(t.Context(), hashOfAbc, s.slow("abc"))
				if err != nil {
					t.Error(err)
					return
				}
				release()
			})
		}
		all.Wait()
		if took := time.Since(began); took != time.Second || s.asked.Load() != 1 {
			t.Errorf("%d downloads in %v", s.asked.Load(), took)
		}
	})
}

func TestCacheTellsEverybodyOfAFailure(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := cache(t, dir, 100)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, _, err := c.Get(t.Context(), hashOfAbc, s.slow("abd")); !errors.Is(err, ErrHashMismatch) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if s.asked.Load() != 1 {
			t.Errorf("%d downloads", s.asked.Load())
		}
	})
}

func TestCacheLetsACallerLeaveWithoutTheOthers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := cache(t, dir, 100)
		hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() { // the first: its context must not become the download's
			_, _, err := c.Get(hasty, hashOfAbc, s.slow("abc"))
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 100*time.Millisecond {
				t.Errorf("got %v after %v", err, took)
			}
		})
		synctest.Wait()
		_, release, err := c.Get(t.Context(), hashOfAbc, s.slow("abc"))
		if took := time.Since(began); err != nil || took != time.Second || s.asked.Load() != 1 {
			t.Errorf("got %v after %v and %d downloads", err, took, s.asked.Load())
		}
		release()
		all.Wait()
	})
}

func TestCacheCancelsADownloadThatNobodyWaitsFor(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := cache(t, dir, 100)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*100*time.Millisecond)
			defer cancel()
			all.Go(func() {
				if _, _, err := c.Get(ctx, hashOfAbc, s.slow("abc")); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 300*time.Millisecond || s.asked.Load() != 1 {
			t.Errorf("%d downloads ended after %v", s.asked.Load(), took)
		}
		if got := held(t, dir); len(got) != 0 || len(c.entries) != 0 {
			t.Errorf("the directory holds %v", got)
		}
	})
}

func TestCacheStartsAnewWhileAnAbandonedDownloadEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := cache(t, dir, 100)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, _, err := c.Get(ctx, hashOfAbc, func(_ context.Context, w io.Writer) error {
				time.Sleep(time.Minute) // does not look at its context, and succeeds
				_, err := io.WriteString(w, "abc")
				return err
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		began := time.Now()
		_, release, err := c.Get(t.Context(), hashOfAbc, s.slow("abc"))
		if took := time.Since(began); err != nil || took != time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		all.Wait()
		if got := names(t, dir); len(got) != 1 || c.size != 3 {
			t.Errorf("the directory holds %q, %d bytes are counted", got, c.size)
		}
		release()
	})
}

func TestCacheDoesNotStartForAnEndedContext(t *testing.T) {
	var s source
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := cache(t, t.TempDir(), 100).Get(ctx, hashOfAbc, s.of("abc"))
	if !errors.Is(err, context.Canceled) || s.asked.Load() != 0 {
		t.Errorf("got %v after %d downloads", err, s.asked.Load())
	}
}

// Callers come, leave early, stay and release in any order; what is in use stays, and the books are right.
func TestCacheKeepsItsBooks(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		bodies := []string{"a", "bb", "ccc", "dddd"}
		type caller struct {
			body             string
			comes, stays     time.Duration
			patience, source time.Duration
		}
		second := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(1, 9).Draw(t, "seconds")) * time.Second
		})
		callers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) caller {
			return caller{
				rapid.SampledFrom(bodies).Draw(t, "body"), second.Draw(t, "comes"), second.Draw(t, "stays"),
				second.Draw(t, "patience"), second.Draw(t, "source"),
			}
		}), 1, 12).Draw(rt, "callers")

		wrong := make(chan error, len(callers)+1)
		synctest.Test(t, func(t *testing.T) {
			c := cache(t, dir, 5)
			var all sync.WaitGroup
			for _, who := range callers {
				all.Go(func() {
					time.Sleep(who.comes)
					ctx, cancel := context.WithTimeout(t.Context(), who.patience)
					defer cancel()
					path, release, err := c.Get(ctx, Of([]byte(who.body)), new(source).after(who.source, who.body))
					if errors.Is(err, context.DeadlineExceeded) {
						return
					} else if err != nil {
						wrong <- err
						return
					}
					time.Sleep(who.stays)
					if got, err := os.ReadFile(path); err != nil || string(got) != who.body {
						wrong <- fmt.Errorf("in use: %q, %v", got, err)
					}
					release()
				})
			}
			all.Wait()
			var size int64
			on := held(t, dir)
			for body := range on {
				size += int64(len(body))
			}
			if c.size != size || size > 5 || len(c.entries) != len(on) || c.idle.Len() != len(on) {
				wrong <- fmt.Errorf("%d bytes of %v on disk; counted %d bytes, %d entries, %d idle",
					size, on, c.size, len(c.entries), c.idle.Len())
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(<-wrong)
		}
	})
}

package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func store(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundles")
	s, err := NewStore(dir, Limits{Archive: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, e.Name())
	}
	return got
}

func TestStoreReturnsWhatWasPut(t *testing.T) {
	s, dir := store(t)
	body := []byte("an archive")
	h := Of(body)
	if s.Has(h) {
		t.Error("it has what nobody put")
	}
	for range 2 {
		if err := s.Put(t.Context(), h, iotest.OneByteReader(bytes.NewReader(body))); err != nil {
			t.Fatal(err)
		}
	}
	r, size, err := s.Open(h)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, body) || size != int64(len(body)) || !s.Has(h) {
		t.Errorf("got %q, %d bytes, %v", got, size, err)
	}
	if got := names(t, dir); len(got) != 1 || got[0] != string(h) {
		t.Errorf("the directory holds %q", got)
	}
}

func TestStoreDoesNotReadWhatItHas(t *testing.T) {
	s, _ := store(t)
	if err := s.Put(t.Context(), Of(nil), strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), Of(nil), iotest.ErrReader(errors.New("was read"))); err != nil {
		t.Error(err)
	}
}

func TestStoreKeepsNothingOfAFailedPut(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("connection reset")
	want := Of([]byte("good"))
	for _, c := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		want error
	}{
		{"other content", t.Context(), strings.NewReader("evil"), ErrHashMismatch},
		{"half of it", t.Context(), strings.NewReader("go"), ErrHashMismatch},
		{"too much", t.Context(), io.LimitReader(zeros{}, 1<<20+1), ErrLimit},
		{"a broken stream", t.Context(), io.MultiReader(strings.NewReader("go"), iotest.ErrReader(broken)), broken},
		{"an ended context", ended, strings.NewReader("good"), context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := store(t)
			if err := s.Put(c.ctx, want, c.r); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if got := names(t, dir); len(got) != 0 || s.Has(want) {
				t.Errorf("the directory holds %q", got)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestStoreTakesAsMuchAsItsLimit(t *testing.T) {
	s, _ := store(t)
	if err := s.Put(t.Context(), Of(make([]byte, 1<<20)), io.LimitReader(zeros{}, 1<<20)); err != nil {
		t.Error(err)
	}
}

func TestStoreKnowsNoOtherFiles(t *testing.T) {
	s, dir := store(t)
	write(t, filepath.Join(filepath.Dir(dir), "secret"), "s")
	if _, _, err := s.Open(hashOfAbc); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Open("../secret"); !errors.Is(err, errBadHash) {
		t.Errorf("got %v", err)
	}
	if err := s.Put(t.Context(), "../evil", strings.NewReader("")); !errors.Is(err, errBadHash) {
		t.Errorf("got %v", err)
	}
	if s.Has("../secret") {
		t.Error("it has a file outside")
	}
}

func TestStoreTakesTheSameFromManyAtOnce(t *testing.T) {
	s, dir := store(t)
	body := bytes.Repeat([]byte("x"), 1<<16)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := s.Put(t.Context(), Of(body), bytes.NewReader(body)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the directory holds %q", got)
	}
}

func TestStoreFindsWhatAnEarlierOneHasButNotWhatItDidNotFinish(t *testing.T) {
	s, dir := store(t)
	if err := s.Put(t.Context(), hashOfAbc, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, incoming+string(hashOfAbc)+".1"), "ab")
	again, err := NewStore(dir, Limits{Archive: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 1 || !again.Has(hashOfAbc) {
		t.Errorf("the directory holds %q", got)
	}
}

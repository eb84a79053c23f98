package peers_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/bundle"
	"iris/iris/network"
)

var (
	content = bytes.Repeat([]byte("a workspace "), 100_000) // several messages
	sum     = bundle.Of(content)
)

func wantContent(t *testing.T, open func() (io.ReadCloser, int64, error)) {
	t.Helper()
	file, size, err := open()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil || !bytes.Equal(got, content) || size != int64(len(content)) {
		t.Errorf("%d bytes of %d are read: %v", len(got), len(content), err)
	}
}

func TestABundleIsStoredByAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		a, b := serve(t, n, "a"), serve(t, n, "b")
		mine := a.Bundles(func() []string { return []string{"b", "nobody"} })
		if err := mine.Put(t.Context(), sum, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		wantContent(t, func() (io.ReadCloser, int64, error) { return b.Bundles(nil).Open(t.Context(), sum) })
	})
}

func TestABundleThatNoMajorityStoresIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := serve(t, &network.Memory{}, "a")
		err := a.Bundles(func() []string { return []string{"nobody", "no one"} }).Put(t.Context(), sum, bytes.NewReader(content))
		if status.Code(err) != codes.Unavailable {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestABundleIsFetchedFromWhoeverHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		a, b := serve(t, n, "a"), serve(t, n, "b")
		serve(t, n, "c")
		if err := b.Bundles(nil).Put(t.Context(), sum, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		mine := a.Bundles(func() []string { return []string{"nobody", "c", "b"} })
		if !mine.Has(t.Context(), sum) {
			t.Error("it is not found")
		}
		wantContent(t, func() (io.ReadCloser, int64, error) { return a.Bundles(nil).Open(t.Context(), sum) })
		if _, _, err := mine.Open(t.Context(), bundle.Of([]byte("another"))); !errors.Is(err, bundle.ErrNotFound) {
			t.Errorf("what nobody has: %v", err)
		}
	})
}

package peers_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/bundle"
	"iris/iris/network"
)

func TestTheLeaderTellsWhichBundlesAreUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		a, b := serve(t, n, "a").Bundles(nil), serve(t, n, "b").Bundles(nil)
		used, unused := bundle.Of([]byte("used")), bundle.Of([]byte("unused"))
		if _, err := a.Unused(t.Context(), "b", []bundle.Hash{used}); status.Code(err) != codes.Unavailable {
			t.Errorf("before anybody can tell: %v", err)
		}
		b.Answer(func(_ context.Context, hashes []bundle.Hash) ([]bundle.Hash, error) {
			return slices.DeleteFunc(hashes, func(h bundle.Hash) bool { return h == used }), nil
		})
		got, err := a.Unused(t.Context(), "b", []bundle.Hash{used, unused})
		if err != nil || !slices.Equal(got, []bundle.Hash{unused}) {
			t.Errorf("unused are %v, %v", got, err)
		}
		for what, hashes := range map[string][]bundle.Hash{
			"what is no hash": {"x"}, "too many at once": slices.Repeat([]bundle.Hash{used}, 1001),
		} {
			if _, err := a.Unused(t.Context(), "b", hashes); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.Answer(func(context.Context, []bundle.Hash) ([]bundle.Hash, error) { return nil, network.NotLeader("c", nil) })
		if _, err := a.Unused(t.Context(), "b", []bundle.Hash{used}); network.Leader(err) != "c" {
			t.Errorf("the refusal is %v", err)
		}
	})
}

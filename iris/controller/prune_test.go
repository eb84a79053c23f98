package controller_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	"iris/iris/peers"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// follower is the journal of a controller that never leads.
type follower struct{ leader string }

func (f follower) Lead(ctx context.Context) (journal.Term, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (f follower) Leader() string { return f.leader }
func (f follower) Close() error   { return nil }

// keeper is a store of workspaces and the controller that keeps it.
type keeper struct {
	*bundle.Store
	*controller.Controller
}

func startKeeper(t *testing.T, n network.Network, config controller.Config) keeper {
	t.Helper()
	store, err := bundle.NewStore(t.TempDir(), bundle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	p := peers.New(n, store)
	config.Network, config.Bundles, config.Log = n, p.Bundles(nil), slog.New(slog.DiscardHandler)
	config.Services = []func(grpc.ServiceRegistrar){p.Register}
	c, err := controller.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return keeper{store, c}
}

// A workspace goes a day after its last use, if no job has it; also where the controller does not lead.
func TestWorkspacesThatNoJobHasAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		leader := startKeeper(t, n, controller.Config{Address: "leader", Retention: state.Retention{Age: 36 * time.Hour}})
		other := startKeeper(t, n, controller.Config{Address: "other", Journal: follower{"leader"}})
		conn, err := network.Client(n, "leader")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		client := pb.NewControllerServiceClient(conn)
		used, unused, many := put(t, leader, other, "used"), put(t, leader, other, "unused"), []bundle.Hash{}
		for i := range 150 { // more than one batch
			many = append(many, put(t, leader, other, string(rune('a'+i))))
		}
		has := func(when string, h bundle.Hash, want bool) {
			t.Helper()
			if leader.there(h) != want || other.there(h) != want {
				t.Errorf("%s it is with the leader: %v, with the other: %v", when, !want, other.there(h))
			}
		}
		in := &pb.LaunchJobRequest{JobId: "j", Spec: spec("j", func(s *pb.JobSpec) { s.BundleSha256 = string(used) })}
		if _, err := client.LaunchJob(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		has("after a day less the interval", unused, true)
		time.Sleep(time.Hour + time.Minute)
		has("after a day and the interval", unused, false)
		for _, h := range many {
			has("after the last batch", h, false)
		}
		has("while its job runs", used, true)
		if _, err := client.TerminateJob(t.Context(), &pb.TerminateJobRequest{JobId: "j"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(35 * time.Hour)
		has("while its job is remembered", used, true)
		time.Sleep(3 * time.Hour)
		has("once its job is forgotten", used, false)
	})
}

func put(t *testing.T, a, b keeper, text string) bundle.Hash {
	t.Helper()
	h := bundle.Of([]byte(text))
	for _, k := range []keeper{a, b} {
		if err := k.Put(t.Context(), h, bytes.NewReader([]byte(text))); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// there looks without counting as a use.
func (k keeper) there(h bundle.Hash) bool {
	idle, err := k.Idle(time.Now().Add(time.Hour))
	if err != nil {
		panic(err)
	}
	for _, i := range idle {
		if i == h {
			return true
		}
	}
	return false
}

// Nothing is removed while nobody can say what is in use.
func TestWithoutALeaderNoWorkspaceIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		k := startKeeper(t, n, controller.Config{Address: "alone", Journal: follower{"nobody"}})
		h := put(t, k, k, "text")
		time.Sleep(49 * time.Hour)
		if !k.there(h) {
			t.Error("it is removed")
		}
	})
}

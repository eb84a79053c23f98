package cluster_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"iris/iris/cluster"
	"iris/iris/network"
)

// The options of servers and connections reach each participant, under its name.
func TestEachParticipantHasItsOptions(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	note := func(who, method string) {
		mu.Lock()
		defer mu.Unlock()
		seen[who+" "+method[strings.LastIndex(method, "/")+1:]] = true
	}
	_, c := booted(t, local(t, "c"), cluster.Options{
		Network: &network.Memory{}, Functions: functions(),
		ServerOptions: func(id string) []grpc.ServerOption {
			return []grpc.ServerOption{grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo,
				handle grpc.UnaryHandler) (any, error) {
				note("serves "+id, info.FullMethod)
				return handle(ctx, in)
			})}
		},
		DialOptions: func(id string) []grpc.DialOption {
			return []grpc.DialOption{grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn,
				invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
				note("calls "+id, method)
				return invoke(ctx, method, in, out, conn, options...)
			})}
		},
	})
	if _, err := c.Workers(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"calls client ListWorkers", "serves c-0 ListWorkers", "calls w-0 Register", "calls w-1 Register", "serves c-0 Register"} {
		if !seen[want] {
			t.Errorf("nobody %s: %v", want, slices.Sorted(maps.Keys(seen)))
		}
	}
}

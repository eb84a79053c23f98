package chaosgrpc

import (
	"context"

	"google.golang.org/grpc/metadata"

	"iris/chaos"
)

// scopeKey is the metadata that has the name of a call's scope; it is binary, as the name may be any text.
const scopeKey = "chaos-scope-bin"

// outgoing sends the scope of ctx with the call.
func outgoing(ctx context.Context) context.Context {
	if name := chaos.ScopeOf(ctx).Name(); name != "" {
		return metadata.AppendToOutgoingContext(ctx, scopeKey, name)
	}
	return ctx
}

// incoming is the context of a handler, with the scope that came with the call. One that the context has already stays.
func incoming(ctx context.Context) context.Context {
	names := metadata.ValueFromIncomingContext(ctx, scopeKey)
	if len(names) == 0 || names[0] == "" || chaos.ScopeOf(ctx) != (chaos.Scope{}) {
		return ctx
	}
	return chaos.In(names[0]).Context(ctx)
}

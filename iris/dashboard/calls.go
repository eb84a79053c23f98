package dashboard

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"iris/iris/faults"
	pb "iris/iris/proto"
)

// callTimeout bounds what a page asks for: a viewer waits for it.
const callTimeout = 5 * time.Second

// calls are what the controllers are asked with.
type calls struct {
	jobs    pb.ControllerServiceClient
	cluster pb.ClusterServiceClient
	faults  *faults.Client
}

func newCalls(conn grpc.ClientConnInterface) calls {
	return calls{pb.NewControllerServiceClient(conn), pb.NewClusterServiceClient(conn), faults.Connect(conn)}
}

// as has calls made with this context show a token; empty: none.
func as(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// optional is a part of a page that its viewer may not be allowed to see: it then has the reason instead.
type optional[T any] struct {
	Value   T
	Refused string
}

// allowed makes a part of an answer. Refusals for want of permission are part of the page, other errors are not.
func allowed[T any](value T, err error) (optional[T], error) {
	if status.Code(err) == codes.PermissionDenied {
		return optional[T]{Refused: status.Convert(err).Message()}, nil
	}
	return optional[T]{Value: value}, err
}

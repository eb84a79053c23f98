package faults

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "iris/iris/proto"
)

// Disabled adds a ChaosService to a server whose every call is FAILED_PRECONDITION, and says how to get a real one. The
// server is that of a what, such as "controller".
func Disabled(server grpc.ServiceRegistrar, what string) {
	refusal := status.Errorf(codes.FailedPrecondition,
		"this %s was started without --chaos; start it with --chaos to inject faults", what)
	desc := pb.ChaosService_ServiceDesc
	desc.Methods = slices.Clone(desc.Methods)
	refuse := func(context.Context, any) (any, error) { return nil, refusal }
	for i, method := range desc.Methods {
		info := &grpc.UnaryServerInfo{FullMethod: "/" + desc.ServiceName + "/" + method.MethodName}
		desc.Methods[i].Handler = func(_ any, ctx context.Context, decode func(any) error,
			interceptor grpc.UnaryServerInterceptor) (any, error) {
			request := new(emptypb.Empty) // whatever it was
			if err := decode(request); err != nil {
				return nil, err
			}
			if interceptor == nil {
				return refuse(ctx, request)
			}
			return interceptor(ctx, request, info, refuse) // whoever may not call hears that instead
		}
	}
	desc.Streams = slices.Clone(desc.Streams)
	for i := range desc.Streams {
		desc.Streams[i].Handler = func(any, grpc.ServerStream) error { return refusal }
	}
	server.RegisterService(&desc, nil)
}

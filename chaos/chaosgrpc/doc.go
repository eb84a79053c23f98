// Package chaosgrpc makes the methods of gRPC services sites of chaos, on both sides of a call.
//
//	var sites = chaosgrpc.Declare(&pb.Orders_ServiceDesc)
//
//	conn, err := grpc.NewClient(address,
//		grpc.WithChainUnaryInterceptor(sites.UnaryClient), grpc.WithChainStreamInterceptor(sites.StreamClient))
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(sites.UnaryServer), grpc.ChainStreamInterceptor(sites.StreamServer))
//
// Each method has four sites, in the order in which a call passes them:
//
//	grpc.client.request:/shop.Orders/Place   before the request leaves: the server never sees it
//	grpc.server.request:/shop.Orders/Place   it has arrived, and no handler has seen it
//	grpc.server.answer:/shop.Orders/Place    the handler has done its work, and nobody was told
//	grpc.client.answer:/shop.Orders/Place    the answer has arrived, and the caller has not seen it
//
// A failure at a request loses it: nothing is done. A failure at an answer loses that: it is done, and the caller does
// not know. The caller sees the rule's code, UNAVAILABLE by default. A delay makes it late. A pause keeps it
// from arriving until the caller's deadline, as a cable does that is cut: DEADLINE_EXCEEDED.
//
// A call that has failed by itself has no answer, and does not pass the sites of one.
//
// The sites can be named as soon as the service is declared, by a rule as text too; a misspelt method is refused with the
// nearest one. A rule may match the label server of the client's sites: the target that the connection was made with.
// Calls of other services pass untouched.
//
// # Streams
//
// Each message of a stream passes the sites: on its way to the server those of the request, on its way back those of
// the answer. A message that is lost breaks the stream with the rule's error, on the side where the site is; the other side
// sees that it was cancelled, or what the handler returns. Where the client sends one message alone, its request site is
// passed before the stream is opened, so that the server does not see even that.
//
// # Scopes
//
// The scope of a call's context ([chaos.Scope.Context]) goes to the server with the call, in its metadata, and the
// handler's context has it. So a test sees its own faults alone, on both sides, though others use the same server. It
// is a name and arms nothing. The server may be another process.
package chaosgrpc

package network

import (
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// MaxMessage is the largest message either side takes, in bytes; a larger one is RESOURCE_EXHAUSTED.
const MaxMessage = 16 << 20

// Chunk is how much of a stream of bytes, such as a bundle, one message carries.
const Chunk = 256 << 10

// MaxStreams is how many calls one connection may have under way. A client's further calls wait until one of them ends.
const MaxStreams = 1000

const (
	maxHeaders       = 64 << 10         // bytes of a call's metadata
	handshakeTimeout = 10 * time.Second // from a connection to its first settings: nobody holds one by saying nothing

	// From dialling to the server's first settings, which takes three times there and back with TLS. A client that gives up
	// earlier never connects to who is far away, however often it tries; one that gives up later waits long for a packet
	// that is lost.
	connectTimeout = 10 * time.Second
)

// Each side asks the other for a sign of life when it has heard nothing for a while, and closes the connection if none
// comes: a cable that is cut, or a firewall that forgot, tells nobody. The server allows more than a client does, so
// that neither takes the other's questions for an attack (FM-29). A connection without calls lives far longer than the
// longest pause between two heartbeats. An old one is replaced, calls under way undisturbed: the client then sees the
// server's certificate as it is now. The times are odd so that nothing else happens at the same instant of virtual
// time.
var (
	clientKeepalive = keepalive.ClientParameters{Time: 33 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}
	serverKeepalive = keepalive.ServerParameters{
		Time: 67 * time.Second, Timeout: 20 * time.Second, MaxConnectionIdle: 30 * time.Minute, MaxConnectionAge: time.Hour,
	}
	serverTolerance = keepalive.EnforcementPolicy{MinTime: 15 * time.Second, PermitWithoutStream: true}
)

// Client is a gRPC connection to an address. It connects when first used and reconnects by itself, pausing 0.1 s to 5 s
// between tries; calls on it fail with UNAVAILABLE meanwhile. Options come on top, credentials for example; without any
// the connection is in the clear.
func Client(n Network, address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if n, suffers := n.(interface {
		calls(address string) grpc.DialOption
	}); suffers {
		options = append(slices.Clip(options), n.calls(address))
	}
	return grpc.NewClient("passthrough:///"+address, append([]grpc.DialOption{
		grpc.WithContextDialer(n.Dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(clientKeepalive),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
	}, options...)...)
}

// Server is a gRPC server with the limits that Client expects; options come on top. Its Stop waits for the handlers.
func Server(options ...grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage), grpc.WaitForHandlers(true),
		grpc.MaxConcurrentStreams(MaxStreams), grpc.MaxHeaderListSize(maxHeaders), grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(serverKeepalive), grpc.KeepaliveEnforcementPolicy(serverTolerance),
	}, options...)...)
}

// Serving is what the health service says of something that works, or does not.
func Serving(works bool) grpc_health_v1.HealthCheckResponse_ServingStatus {
	if works {
		return grpc_health_v1.HealthCheckResponse_SERVING
	}
	return grpc_health_v1.HealthCheckResponse_NOT_SERVING
}

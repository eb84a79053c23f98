// Command service is a gRPC service and a client that tries again, with faults between the two and inside: its arguments
// are chaos rules as text. Run it from the repository's root, or anywhere:
//
//	go run ./examples/service 'grpc.client.answer:/grpc.health.v1.Health/Check=1*error->skip(1)->1*delay(1s)' 'store.read max 1'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/chaos/chaosgrpc"
)

// Where chaos may strike: in the store, and in each method of the service.
var (
	readSite = chaos.NewSite("store.read", "before the store is read: the read fails", chaos.CanAll)
	calls    = chaosgrpc.Declare(&grpc_health_v1.Health_ServiceDesc)
)

const (
	tries    = 3                      // of a call, before the client gives up
	pause    = 100 * time.Millisecond // before the second try; doubles with each
	deadline = 5 * time.Second        // of a call, all tries together
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(rules []string) (err error) {
	if _, err := chaos.EnableAll(strings.Join(rules, "\n")); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &service{}
	server := serve(s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() {
		server.Stop()
		err = errors.Join(err, <-ended)
	}()
	client, err := connect("passthrough:///" + listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	for n := range 4 {
		began := time.Now()
		before := s.reads.Load()
		err := ask(context.Background(), client)
		fmt.Printf("call %d: %v after %v, reads of the store: %d\n",
			n+1, status.Code(err), time.Since(began).Round(pause), s.reads.Load()-before)
	}
	return chaos.Verify() // an error if a fault never happened
}

// service answers from its store.
type service struct {
	grpc_health_v1.UnimplementedHealthServer
	reads atomic.Int64
}

// Check implements the service.
func (s *service) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

// read stands for a query of a database.
func (s *service) read(ctx context.Context) error {
	if err := readSite.Hit(ctx, nil); err != nil {
		return err
	}
	s.reads.Add(1)
	return nil
}

func serve(s *service) *grpc.Server {
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(calls.UnaryServer), grpc.ChainStreamInterceptor(calls.StreamServer))
	grpc_health_v1.RegisterHealthServer(server, s)
	return server
}

func connect(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(calls.UnaryClient), grpc.WithChainStreamInterceptor(calls.StreamClient))...)
}

// ask calls the service, and again when it is not there.
func ask(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for try, wait := 1, pause; ; try, wait = try+1, 2*wait {
		_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if status.Code(err) != codes.Unavailable || try == tries {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

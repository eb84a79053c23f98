package faults

import (
	"google.golang.org/grpc"

	pb "iris/iris/proto"
)

// RegisterAs is Register in a process of another id, so that services of one test can be those of many processes.
func RegisterAs(server grpc.ServiceRegistrar, config Config, process string) {
	pb.RegisterChaosServiceServer(server, newService(config, process))
}

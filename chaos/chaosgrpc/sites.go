package chaosgrpc

import (
	"sync"

	"google.golang.org/grpc"

	"iris/chaos"
)

// Sites are those of the methods of some services. Make them with [Declare]; their methods are interceptors.
type Sites struct{ methods map[string]*method }

// method has the four sites of one.
type method struct{ clientRequest, serverRequest, serverAnswer, clientAnswer *chaos.Site }

// declared are all methods of the program that have sites, by their full names.
var declared = struct {
	mu      sync.Mutex
	methods map[string]*method
}{methods: map[string]*method{}}

// Declare makes each method of the services four sites, which rules can name from then on. Do so in a package variable.
// The descriptors are those that protoc-gen-go-grpc writes. A service may be declared again, as by a client and a server
// that share a process: its sites are the same. Without a service, or with one that is nil, it panics.
func Declare(services ...*grpc.ServiceDesc) *Sites {
	if len(services) == 0 {
		panic("chaosgrpc: Declare: want a service, as in Declare(&pb.Orders_ServiceDesc)")
	}
	s := &Sites{methods: map[string]*method{}}
	for _, service := range services {
		if service == nil {
			panic("chaosgrpc: Declare(nil): want a service, as in Declare(&pb.Orders_ServiceDesc)")
		}
		for _, m := range service.Methods {
			s.declare(service.ServiceName, m.MethodName)
		}
		for _, m := range service.Streams {
			s.declare(service.ServiceName, m.StreamName)
		}
	}
	return s
}

// declare makes the sites of a method, or finds those that it has.
func (s *Sites) declare(service, name string) {
	full := "/" + service + "/" + name
	declared.mu.Lock()
	defer declared.mu.Unlock()
	if declared.methods[full] == nil {
		declared.methods[full] = &method{
			clientRequest: chaos.NewSite("grpc.client.request:"+full,
				"before a request leaves: it is lost, and the server never sees it", chaos.CanAll).Carrying("server"),
			serverRequest: chaos.NewSite("grpc.server.request:"+full,
				"a request has arrived: it is lost, and no handler sees it", chaos.CanAll).Carrying(),
			serverAnswer: chaos.NewSite("grpc.server.answer:"+full,
				"before an answer leaves: it is lost, and what was asked is done", chaos.CanAll).Carrying(),
			clientAnswer: chaos.NewSite("grpc.client.answer:"+full,
				"an answer has arrived: it is lost, and what was asked is done", chaos.CanAll).Carrying("server"),
		}
	}
	s.methods[full] = declared.methods[full]
}

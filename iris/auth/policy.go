package auth

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "iris/iris/proto" // Methods lists its services
)

// rule lets roles call one method of a service, or all that have no rule of their own.
type rule struct {
	service, method string
	roles           []Role
}

// access is all that anybody may call. What is not here is refused. docs/security.md shows it.
//
// Administrators do not order workers about: workers take orders only from their controller. Nor do they speak raft.
var access = []rule{
	{"iris.v1.ControllerService", "", []Role{User, Controller, Admin}},
	{"iris.v1.RegistryService", "", []Role{Worker, Admin}},
	{"iris.v1.RegistryService", "DownloadBundle", []Role{Worker, Controller, Admin}},
	{"iris.v1.WorkerService", "", []Role{Controller}},
	{"iris.v1.ChaosService", "", []Role{Controller, Admin}},
	{"iris.v1.ClusterService", "", []Role{Admin}},
	{"iris.v1.ClusterService", "ListControllers", []Role{User, Controller, Admin}},
	{"iris.v1.ClusterService", "GetFleet", []Role{User, Admin}},
	{"iris.v1.ClusterService", "AddController", []Role{Controller, Admin}}, // one that joins adds itself
	{"iris.v1.PeerService", "", []Role{Controller}},
	{"grpc.health.v1.Health", "", []Role{User, Worker, Controller, Admin}},
	{"grpc.reflection.v1.ServerReflection", "", []Role{Admin}},
	{"grpc.reflection.v1alpha.ServerReflection", "", []Role{Admin}},
}

// Allowed are the roles that may call a method, named as in "/iris.v1.ControllerService/LaunchJob". Nil: nobody may.
func Allowed(fullMethod string) []Role {
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	var roles []Role
	for _, r := range access {
		if r.service == service && r.method == method {
			return r.roles
		}
		if r.service == service && r.method == "" {
			roles = r.roles
		}
	}
	return roles
}

// Method is a method of a service that this program knows.
type Method struct {
	FullName                     string // "/iris.v1.ControllerService/LaunchJob"
	Input, Output                protoreflect.FullName
	ClientStreams, ServerStreams bool
}

// Methods lists every method of every service whose code is linked into the program and whose package has the prefix:
// all of Iris for "iris.v1", everything for "".
func Methods(prefix string) []Method {
	var all []Method
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), prefix) {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				all = append(all, Method{
					FullName: "/" + string(service.FullName()) + "/" + string(m.Name()),
					Input:    m.Input().FullName(), Output: m.Output().FullName(),
					ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer(),
				})
			}
		}
		return true
	})
	slices.SortFunc(all, func(a, b Method) int { return strings.Compare(a.FullName, b.FullName) })
	return all
}

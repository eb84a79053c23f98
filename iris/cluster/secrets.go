package cluster

import (
	"cmp"
	"fmt"

	"google.golang.org/grpc"

	"iris/iris/auth"
)

// serving are the options of a participant's server.
func (o Options) serving(role auth.Role, name string) ([]grpc.ServerOption, error) {
	var further []grpc.ServerOption
	if o.ServerOptions != nil {
		further = o.ServerOptions(name)
	}
	if o.Secrets == "" {
		return further, nil
	}
	options, err := auth.Server(o.identity(role, name))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", role, name, err)
	}
	return append(options, further...), nil
}

// dialling are the options of a participant's connections to servers of a role.
func (o Options) dialling(role auth.Role, name string, to auth.Role) ([]grpc.DialOption, error) {
	var further []grpc.DialOption
	if o.DialOptions != nil {
		further = o.DialOptions(cmp.Or(name, "client"))
	}
	if o.Secrets == "" {
		return further, nil
	}
	options, err := auth.Dial(o.identity(role, name), to)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", role, name, err)
	}
	return append(options, further...), nil
}

// identity is a participant's certificate. Controllers share one, as do those who operate the cluster; workers may.
func (o Options) identity(role auth.Role, name string) auth.Config {
	c := auth.In(o.Secrets, role, name)
	c.Log = o.Log
	return c
}

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Directory is a [Config.Peers] for processes that are known by name and address. It keeps a connection to each that was
// listed last, and closes those to others.
type Directory struct {
	list func(context.Context) (map[string]string, error)
	dial func(name, address string) (*grpc.ClientConn, error)

	mu     sync.Mutex
	conns  map[string]line // by name
	closed bool
}

type line struct {
	address string
	conn    *grpc.ClientConn
}

// NewDirectory asks list for the addresses of the processes by their names, each time they are needed, and dial for a
// connection to one of them. Dial does not wait, as [grpc.NewClient] does not.
func NewDirectory(list func(context.Context) (map[string]string, error),
	dial func(name, address string) (*grpc.ClientConn, error)) *Directory {
	return &Directory{list: list, dial: dial, conns: map[string]line{}}
}

// Processes are those there are now. An error of list is returned as it is.
func (d *Directory) Processes(ctx context.Context) ([]Process, error) {
	addresses, err := d.list(ctx)
	if err != nil {
		return nil, err
	}
	all, stale, err := d.update(addresses)
	for _, conn := range stale {
		_ = conn.Close() // it fails only if it is closed already
	}
	return all, err
}

// unreachable stands for the connection to a process that has none.
type unreachable struct{ why error }

func (u unreachable) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(codes.Unavailable, u.why.Error())
}

func (u unreachable) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unavailable, u.why.Error())
}

// update opens and drops connections, and returns those that are to be closed.
func (d *Directory) update(addresses map[string]string) (all []Process, stale []*grpc.ClientConn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, errors.New("the directory is closed")
	}
	maps.DeleteFunc(d.conns, func(name string, l line) bool {
		gone := addresses[name] != l.address
		if gone {
			stale = append(stale, l.conn)
		}
		return gone
	})
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		if l, ok := d.conns[name]; ok {
			all = append(all, Process{name, l.conn})
			continue
		}
		conn, err := d.dial(name, addresses[name])
		if err != nil { // the next call tries again
			all = append(all, Process{name, unreachable{fmt.Errorf("connect to %s: %w", addresses[name], err)}})
			continue
		}
		d.conns[name] = line{addresses[name], conn}
		all = append(all, Process{name, conn})
	}
	return all, stale, nil
}

// Close closes every connection. Calls under way on them fail.
func (d *Directory) Close() error {
	d.mu.Lock()
	conns := d.conns
	d.conns, d.closed = nil, true
	d.mu.Unlock()
	var errs []error
	for _, l := range conns {
		errs = append(errs, l.conn.Close())
	}
	return errors.Join(errs...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/client"
	"iris/iris/faults"
	"iris/iris/network"
)

// processes are the daemons of a controller's cluster, which chaos reaches through it. While no controller leads they are
// those that were known last: whoever broke the leader must be able to mend it.
type processes struct {
	toWorkers, toControllers []grpc.DialOption

	mu     sync.Mutex
	leader *client.Client              // nil before connect
	conns  map[string]*grpc.ClientConn // by what is dialled, and where
	last   []faults.Process
}

func newProcesses(toWorkers, toControllers []grpc.DialOption) *processes {
	return &processes{toWorkers: toWorkers, toControllers: toControllers, conns: map[string]*grpc.ClientConn{}}
}

// connect says where the controllers are: this one, and those that it joins.
func (p *processes) connect(addresses []string) error {
	leader, err := client.Connect(strings.Join(addresses, ","), client.Patience(time.Second), client.Dial(p.toControllers...))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leader = leader
	return nil
}

// list is faults.Config.Peers.
func (p *processes) list(ctx context.Context) ([]faults.Process, error) {
	p.mu.Lock()
	leader := p.leader
	p.mu.Unlock()
	if leader == nil {
		return nil, errors.New("this controller is just starting")
	}
	workers, err := leader.Workers(ctx)
	if err != nil {
		return p.known(err)
	}
	controllers, err := leader.Controllers(ctx)
	if err != nil {
		return p.known(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = nil
	used := map[string]*grpc.ClientConn{}
	add := func(name, address string, options []grpc.DialOption) {
		key := name + " at " + address
		conn := p.conns[key]
		if conn == nil {
			made, err := network.Client(network.TCP{}, address, options...)
			if err != nil {
				return // it is no address, so that nobody is there
			}
			conn = made
		}
		used[key] = conn
		p.last = append(p.last, faults.Process{Name: name, Conn: conn})
	}
	for _, c := range controllers {
		add(c.ControllerId, c.Address, p.toControllers)
	}
	for _, w := range workers {
		add(w.WorkerId, w.Address, p.toWorkers)
	}
	for key, conn := range p.conns {
		if used[key] == nil {
			_ = conn.Close() // whoever was there is gone
		}
	}
	p.conns = used
	return p.last, nil
}

// join makes this controller one of the others. It tries until they agree, since they may not be there yet, and returns an
// error only if they never will. It is repeatable: at each later start it is one of them already.
func (p *processes) join(ctx context.Context, log *slog.Logger, id, address string) error {
	for pause := time.Second; ; pause = min(2*pause, maxJoinPause) {
		err := p.leader.AddController(ctx, id, address)
		switch code := status.Code(err); {
		case err == nil:
			log.Info("controller takes part", "controller", id)
			return nil
		case ctx.Err() != nil:
			return nil // it was stopped
		case code == codes.AlreadyExists, code == codes.InvalidArgument, code == codes.PermissionDenied, code == codes.Unauthenticated:
			return fmt.Errorf("controller %s cannot join: %w", id, err)
		}
		log.Warn("controller does not take part yet; trying again", "controller", id, "in", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

const maxJoinPause = 10 * time.Second

func (p *processes) known(err error) ([]faults.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		return nil, err
	}
	return p.last, nil
}

// close ends all connections. Call it when the server that lists them, and join, have ended.
func (p *processes) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	if p.leader != nil {
		errs = append(errs, p.leader.Close())
	}
	for _, conn := range p.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

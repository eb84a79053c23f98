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
	pb "iris/iris/proto"
)

// processes are the daemons of a controller's cluster, which chaos reaches through it. While no controller leads they are
// those that were known last: whoever broke the leader must be able to mend it.
type processes struct {
	directory *faults.Directory

	mu     sync.Mutex
	leader *client.Client    // nil before connect
	last   map[string]string // addresses by name
	// controllers are the names that are not workers'.
	controllers map[string]bool
}

func newProcesses(toWorkers, toControllers []grpc.DialOption) *processes {
	p := &processes{}
	p.directory = faults.NewDirectory(p.list, func(name, address string) (*grpc.ClientConn, error) {
		if p.controls(name) {
			return network.Client(network.TCP{}, address, toControllers...)
		}
		return network.Client(network.TCP{}, address, toWorkers...)
	})
	return p
}

// connect says where the controllers are: this one, and those that it joins.
func (p *processes) connect(addresses []string, options []grpc.DialOption) error {
	leader, err := client.Connect(strings.Join(addresses, ","), client.Patience(time.Second), client.Dial(options...))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leader = leader
	return nil
}

// list finds the addresses of all processes.
func (p *processes) list(ctx context.Context) (map[string]string, error) {
	p.mu.Lock()
	leader, last := p.leader, p.last
	p.mu.Unlock()
	if leader == nil {
		return nil, errors.New("this controller is just starting")
	}
	all := map[string]string{}
	controllers, err := leader.Controllers(ctx)
	if err == nil {
		var workers []*pb.WorkerStatus
		workers, err = leader.Workers(ctx)
		for _, w := range workers {
			all[w.WorkerId] = w.Address
		}
	}
	if err != nil {
		if last == nil {
			return nil, err
		}
		return last, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.controllers = all, map[string]bool{}
	for _, c := range controllers {
		all[c.ControllerId], p.controllers[c.ControllerId] = c.Address, true
	}
	return all, nil
}

// controls tells a controller from a worker, by its name.
func (p *processes) controls(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.controllers[name]
}

// join makes this controller one of the others. It tries until they agree, since they may not be there yet, and returns an
// error only if they never will. It is repeatable: at each later start it is one of them already.
func (p *processes) join(ctx context.Context, log *slog.Logger, id, address string) error {
	for pause := time.Second; ; pause = min(2*pause, maxJoinPause) {
		err := p.leader.AddController(ctx, id, address) // it is connected before this
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

// close ends all connections. Call it when the server that lists them, and join, have ended.
func (p *processes) close() error {
	p.mu.Lock()
	leader := p.leader
	p.mu.Unlock()
	err := p.directory.Close()
	if leader != nil {
		err = errors.Join(err, leader.Close())
	}
	return err
}

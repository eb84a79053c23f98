package worker

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// ports hands out free TCP ports, each to one attempt at a time (FM-46).
type ports struct {
	free  func() (int, error) // a port that nobody has opened
	mu    sync.Mutex
	taken map[int]bool
}

func newPorts() *ports { return &ports{free: freePort, taken: map[int]bool{}} }

// portTries bounds the search for a port that no other attempt holds.
const portTries = 100

// take picks a free port for each name.
func (p *ports) take(names []string) (map[string]int, func(), error) {
	if len(names) == 0 {
		return nil, func() {}, nil
	}
	picked := map[string]int{}
	giveBack := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, port := range picked {
			delete(p.taken, port)
		}
	}
	for _, name := range names {
		port, err := p.pick()
		if err != nil {
			return nil, giveBack, fmt.Errorf("port %s: %w", name, err)
		}
		picked[name] = port
	}
	return picked, giveBack, nil
}

// hold takes ports that an attempt has already.
func (p *ports) hold(picked map[string]int32) (giveBack func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range picked {
		p.taken[int(port)] = true
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, port := range picked {
			delete(p.taken, int(port))
		}
	}
}

func (p *ports) pick() (int, error) {
	for range portTries {
		port, err := p.free()
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
		free := !p.taken[port]
		p.taken[port] = true
		p.mu.Unlock()
		if free {
			return port, nil
		}
	}
	return 0, errors.New("no free port found")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

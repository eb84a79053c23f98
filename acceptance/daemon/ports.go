package daemon

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// The ports of daemons that keep theirs over restarts. They are below those that the system gives to outgoing
// connections: one of these could take a port while its daemon is down. Each of several processes that test at once has
// a part of them.
const (
	firstPort  = 20_000
	portsEach  = 500
	portShares = 24
)

// asked counts the ports asked for. Where it begins depends on the process: two runs at once look at different ones.
var asked atomic.Int64

// freeAddress is a loopback address that nobody listens at, from the given process's part.
func freeAddress(share int) (string, error) {
	base := firstPort + share%portShares*portsEach
	for range portsEach {
		address := fmt.Sprintf("127.0.0.1:%d", base+(os.Getpid()+int(asked.Add(1)))%portsEach)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return "", err
		}
		return address, nil
	}
	return "", fmt.Errorf("no port from %d to %d is free", base, base+portsEach-1)
}

package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/iris/faults"
	"iris/iris/network"
)

var beat = chaos.NewSite("test.beat", "before a beat", chaos.CanAll, "worker").Carrying("job")

// lab is a cluster of services. As all of them are in one process, each plays a process of its own by an id and a chaos
// scope of its own.
type lab struct {
	t       *testing.T
	network *network.Memory

	controller *node
	watches    atomic.Int32 // streams that are served, by all

	mu     sync.Mutex
	peers  map[string]*node
	broken error // of listing the peers
}

// node is a service and its server.
type node struct {
	name    string
	cluster string // the scope of its rules
	address string
	server  *grpc.Server
	conn    *grpc.ClientConn
	serving sync.WaitGroup
}

// bubble runs a test with a controller c-0 and workers in virtual time, each in a process of its own.
func bubble(t *testing.T, workers []string, test func(t *testing.T, l *lab, client *faults.Client)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, network: new(network.Memory), peers: map[string]*node{}}
		t.Cleanup(chaos.Reset)
		l.controller = l.start("c-0", "process-of-c-0")
		for _, w := range workers {
			l.join(l.start(w, "process-of-"+w))
		}
		test(t, l, faults.Connect(l.controller.conn))
	})
}

// start serves chaos as a participant. Only c-0 knows peers.
func (l *lab) start(name, process string) *node { return l.startAt("", name, process) }

// again starts a peer that was stopped, in the same process or another one, where it was.
func (l *lab) again(name, process string) { l.join(l.startAt(l.peers[name].address, name, process)) }

func (l *lab) startAt(address, name, process string) *node {
	n := &node{name: name, cluster: l.cluster(process), address: address}
	n.server = network.Server(grpc.StreamInterceptor(l.count))
	config := faults.Config{Cluster: n.cluster, Names: []string{name}, Log: slog.New(slog.DiscardHandler)}
	if name == "c-0" {
		config.Names = append(config.Names, "controller")
		config.Peers = l.list
	}
	faults.RegisterAs(n.server, config, process)
	l.serve(n)
	return n
}

func (l *lab) count(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	l.watches.Add(1)
	defer l.watches.Add(-1)
	return handle(srv, stream)
}

// cluster is the scope of a process's rules.
func (l *lab) cluster(process string) string { return l.t.Name() + " in " + process }

// serve begins to serve what is registered.
func (l *lab) serve(n *node) {
	l.t.Helper()
	listener, err := l.network.Listen(n.address)
	if err != nil {
		l.t.Fatal(err)
	}
	n.address = listener.Addr().String()
	n.serving.Go(func() { _ = n.server.Serve(listener) }) // ends with the server
	if n.conn, err = network.Client(l.network, n.address); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { n.stop(); _ = n.conn.Close() })
}

func (n *node) stop() {
	n.server.Stop()
	n.serving.Wait()
}

// join makes a node a peer of c-0.
func (l *lab) join(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers[n.name] = n
}

// list is what c-0 knows.
func (l *lab) list(context.Context) ([]faults.Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []faults.Process
	for _, n := range l.peers {
		all = append(all, faults.Process{n.name, n.conn})
	}
	return all, l.broken
}

// hit passes the site as a worker of a process, and reports whether it failed.
func (l *lab) hit(process, worker string) bool {
	return beat.Hit(l.t.Context(), chaos.Labels{"cluster": l.cluster(process), "worker": worker}) != nil
}

// rules are those armed in a process.
func (l *lab) rules(process string) string {
	var texts []string
	for _, r := range chaos.In(l.cluster(process)).Rules() {
		texts = append(texts, r.String())
	}
	return strings.Join(texts, "; ")
}

// deaf is a peer that takes calls and never answers.
func (l *lab) deaf(name string) {
	n := &node{name: name, server: network.Server(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}))}
	l.serve(n)
	l.join(n)
}

// told is what reports say, a line for each process.
func told(reports []faults.Report, err error) string {
	if err != nil {
		return fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())
	}
	var lines []string
	for _, r := range reports {
		line := strings.Join(r.Process.Names, "+")
		if r.Err != nil {
			line += " refuses with " + status.Code(r.Err).String()
		}
		for _, rule := range r.Rules {
			line += fmt.Sprintf(" %s(%d/%d/%d)", rule.ID, rule.Reached, rule.Matched, rule.Fired)
			if !rule.Armed {
				line += " disarmed"
			}
			if rule.Held > 0 {
				line += fmt.Sprintf(" holds %d", rule.Held)
			}
		}
		if r.Released > 0 {
			line += fmt.Sprintf(" released %d", r.Released)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n\t%v\nwant\n\t%v", what, got, want)
	}
}

func lines(all ...string) string { return strings.Join(all, "\n") }

package sshvm_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

const sshd = "/usr/sbin/sshd"

// pool is hosts that are real SSH servers on loopback, each with a directory of its own.
type pool struct {
	*testing.T
	dir   string
	user  string
	hosts []*server
	log   *words
}

// words are what managers and servers say.
type words struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// What no test may leave: goroutines, which nobody could tell apart while tests run in parallel.
func TestMain(m *testing.M) {
	code := m.Run()
	left := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left = goroutines("iris/sshvm.") + goroutines("crypto/ssh"); left == "" {
			os.Exit(code)
		}
	}
	fmt.Println("FAIL: goroutines are left:\n" + left)
	os.Exit(1)
}

// newPool starts n servers for a test that runs in parallel to others. When it is over nothing of them is left.
func newPool(t *testing.T, n int) *pool {
	t.Helper()
	t.Parallel()
	return newPoolAlone(t, n)
}

// newPoolAlone is newPool for a test that runs while no other does.
func newPoolAlone(t *testing.T, n int) *pool {
	t.Helper()
	if _, err := os.Stat(sshd); err != nil {
		t.Fatalf("these tests log in to a real SSH server: install the package openssh-server, which has %s (%v)", sshd, err)
	}
	if os.Geteuid() == 0 { // then sshd insists on a directory that its service would make
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{T: t, dir: dir, user: me.Username, log: &words{}}
	p.writeKey("id", "authorized_keys")
	for i := range n {
		p.hosts = append(p.hosts, p.newServer(i))
	}
	var known strings.Builder
	for _, h := range p.hosts {
		fmt.Fprintln(&known, knownhosts.Line([]string{h.address}, h.key))
	}
	p.write("known_hosts", known.String())
	t.Cleanup(func() {
		for _, h := range p.hosts {
			h.down()
		}
		for _, pid := range p.running("") { // workers that a test left
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		within(t, "nothing of the hosts runs", func() bool { return len(p.running("")) == 0 })
		if t.Failed() {
			t.Logf("they said\n%s", p.log)
		}
	})
	return p
}

func (p *pool) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pool) write(name, text string) {
	p.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// writeKey makes a key pair.
func (p *pool) writeKey(private, public string) ssh.PublicKey {
	p.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		p.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		p.Fatal(err)
	}
	p.write(private, string(pem.EncodeToMemory(block)))
	if public != "" {
		p.write(public, string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	}
	return signer.PublicKey()
}

// server is one host. The test holds its port, and runs an sshd for each connection, as inetd would: so nobody takes the port
// while it is down, and every process is known.
type server struct {
	p       *pool
	dir     string // of the pool, on this host
	config  string
	address string
	key     ssh.PublicKey

	mu       sync.Mutex
	listener net.Listener
	hangs    bool
	orders   int             // connections so far
	before   func(order int) // is called before a connection is served; may be nil
	running  map[*exec.Cmd]net.Conn
	all      sync.WaitGroup
}

func (p *pool) newServer(i int) *server {
	p.Helper()
	name := fmt.Sprintf("host%d", i)
	h := &server{
		p: p, dir: p.path(name), config: p.path(name + ".conf"), address: "127.0.0.1:0", key: p.writeKey(name+".key", ""),
		running: map[*exec.Cmd]net.Conn{},
	}
	ecdsa, err := exec.Command("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", p.path(name+".ecdsa")).CombinedOutput()
	if err != nil { // as most hosts, it has a key that nobody has written down
		p.Fatalf("%v: %s", err, ecdsa)
	}
	p.write(name+".conf", fmt.Sprintf(`HostKey %s
HostKey %s
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
`, p.path(name+".ecdsa"), p.path(name+".key"), p.path("authorized_keys")))
	h.up()
	return h
}

// up has the host answer.
func (h *server) up() {
	h.p.Helper()
	l, err := net.Listen("tcp", h.address)
	if err != nil {
		h.p.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener, h.address, h.hangs = l, l.Addr().String(), false
	h.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.serve(conn)
		}
	})
}

// hang has the host accept connections, and say nothing, from now on.
func (h *server) hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangs = true
}

func (h *server) serve(conn net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.orders++
	if h.before != nil {
		h.before(h.orders)
	}
	if h.hangs {
		h.running[&exec.Cmd{}] = conn
		return
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		h.p.Error(err)
		return
	}
	defer file.Close()
	cmd := exec.Command(sshd, "-i", "-e", "-f", h.config)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, h.p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		h.p.Error(err)
	}
	_ = conn.Close() // the server has its own
	h.running[cmd] = nil
	h.all.Go(func() {
		_ = cmd.Wait() // how a connection ends is nobody's business
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.running, cmd)
	})
}

// cut ends all connections. What they started goes on.
func (h *server) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for cmd, conn := range h.running {
		if conn != nil {
			_ = conn.Close()
			delete(h.running, cmd)
		} else {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}

// down has the host answer no more, and ends all connections.
func (h *server) down() {
	h.mu.Lock()
	_ = h.listener.Close()
	h.mu.Unlock()
	h.cut()
	h.all.Wait()
}

func (h *server) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.orders
}

// read is a file below the host's directory; empty if there is none.
func (h *server) read(name string) string {
	h.p.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil && !os.IsNotExist(err) {
		h.p.Fatal(err)
	}
	return string(text)
}

// running are the processes whose working directory is below that of a host; of all hosts, if it is not named.
func (p *pool) running(dir string) []int {
	p.Helper()
	if dir == "" {
		dir = p.dir
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.Fatal(err)
	}
	var all []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err == nil && strings.HasPrefix(cwd, dir) {
			all = append(all, pid)
		}
	}
	return all
}

// worker is a program that stands for `iris worker`, and what is run with it. It writes its arguments to the file args, each
// with a NUL, a line to the file starts, and ends with SIGTERM.
func (p *pool) worker() sshvm.Worker {
	return p.workerOf(`trap 'echo bye; exit 0' TERM`)
}

func (p *pool) workerOf(first string) sshvm.Worker {
	p.Helper()
	p.write("iris", fmt.Sprintf(`#!/bin/sh
%s
printf '%%s\0' "$@" >args
echo start >>starts
echo "a worker is here"
while :; do sleep 0.05; done
`, first))
	if err := os.Chmod(p.path("iris"), 0o700); err != nil {
		p.Fatal(err)
	}
	return sshvm.Worker{Binary: p.path("iris"), Controllers: []string{"10.0.0.1:7070"}, Drain: time.Second, Grace: 5 * time.Second}
}

// config is a group of up to 3 slices of the given number of VMs, all hosts in zone a.
func (p *pool) config(vms int, w sshvm.Worker) sshvm.Config {
	c := sshvm.Config{
		Group: vm.GroupConfig{Name: "rack", MaxSlices: 3, Zones: []string{"a", "b"}, VMsPerSlice: vms},
		User:  p.user, Key: p.path("id"), KnownHosts: p.path("known_hosts"),
		Bootstrap: w.Bootstrap, Shutdown: w.Shutdown,
		SSHPoll: 50 * time.Millisecond, RetryPause: 10 * time.Millisecond, ConnectTimeout: 30 * time.Second,
		Log: slog.New(slog.NewTextHandler(p.log, nil)),
	}
	for _, h := range p.hosts {
		c.Hosts = append(c.Hosts, sshvm.Host{Address: h.address, Dir: h.dir})
	}
	return c
}

// open opens a manager that is closed with the test.
func (p *pool) open(c sshvm.Config) *sshvm.Manager {
	p.Helper()
	m, err := sshvm.Open(c)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { p.close(m) })
	return m
}

func (p *pool) close(m *sshvm.Manager) {
	p.Helper()
	if err := m.Close(); err != nil {
		p.Error(err)
	}
}

func (p *pool) create(m *sshvm.Manager, id string) vm.Slice {
	p.Helper()
	s, err := m.CreateSlice(p.Context(), vm.Request{ID: id, Labels: map[string]string{"iris-group": "rack"}})
	if err != nil {
		p.Fatal(err)
	}
	return s
}

func (p *pool) list(m *sshvm.Manager) []vm.Slice {
	p.Helper()
	all, err := m.ListSlices(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return all
}

// only is the one slice that a manager lists.
func (p *pool) only(m *sshvm.Manager) vm.Slice {
	p.Helper()
	all := p.list(m)
	if len(all) != 1 {
		p.Fatalf("%d slices are listed, want one", len(all))
	}
	return all[0]
}

func (p *pool) terminate(s vm.Slice) {
	p.Helper()
	if err := s.Terminate(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// await waits until the VMs of a slice are in these states.
func (p *pool) await(s vm.Slice, want ...vm.State) {
	p.Helper()
	within(p, fmt.Sprintf("%s is %v", s.ID(), want), func() bool { return fmt.Sprint(states(s)) == fmt.Sprint(want) })
	if p.Failed() {
		p.Fatalf("it is %+v", s.Status())
	}
}

func states(s vm.Slice) []vm.State {
	var all []vm.State
	for _, v := range s.Status().VMs {
		all = append(all, v.State)
	}
	return all
}

// within waits for something that happens by itself.
func within(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not within a minute: %s", what)
			return
		}
	}
}

// goroutines are those that have a text in their stacks.
func goroutines(text string) string {
	var stacks bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2) // to memory
	var found strings.Builder
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, text) && !strings.Contains(stack, "sshvm_test.goroutines") {
			found.WriteString(stack + "\n\n")
		}
	}
	return found.String()
}

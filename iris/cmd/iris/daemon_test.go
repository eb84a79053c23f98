package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// free is an address that nobody serves at.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// ready waits until a daemon serves and returns its address.
func (p *process) ready() string {
	p.t.Helper()
	line := p.out.until(p.t, `serves at 127\.0\.0\.1:[0-9]+`)
	return strings.TrimPrefix(line, "serves at ")
}

// ends sees to it that a daemon ends in an orderly way.
func (p *process) ends(s os.Signal) {
	p.t.Helper()
	p.signal(s)
	if got := p.wait(); got.code != 0 {
		p.t.Errorf("%v: exit code %d\n%s", p.cmd.Args, got.code, got.err)
	}
}

func TestDaemonsServeUntilTheyAreTold(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0", "--log-format", "json")
		address := c.ready()
		w := s.start("worker", "--controller", address, "--id", "w-0", "--cpu", "1", "--memory", "1GiB")
		if at := w.ready(); at == address {
			t.Errorf("both serve at %s", at)
		}
		s.with("IRIS_CONTROLLER="+address).run("job", "run", "--", "echo", "hello").expect(t, 0, "hello\n",
			"iris: job echo-ID is launched\niris: job echo-ID SUCCEEDED after TIME\n")
		w.ends(signal)
		c.ends(signal)
		if log := c.err.String(); !strings.Contains(log, `"msg":"controller serves"`) {
			t.Errorf("it logs\n%s", log)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.home, "iris-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("they left %v, %v", left, err)
	}
}

// A worker waits for a controller that is not there yet, and can be stopped meanwhile.
func TestAWorkerWithoutAControllerWaits(t *testing.T) {
	t.Parallel()
	s, address := at(t, ""), free(t)
	w := s.start("worker", "--controller", address, "--id", "w-0", "--cpu", "1", "--memory", "1GiB")
	w.err.until(t, "not registered; trying again")
	if w.out.String() != "" {
		t.Errorf("it says that it serves: %s", w.out)
	}
	c := s.start("controller", "--ephemeral", "--listen", address)
	w.ready()
	c.ends(syscall.SIGTERM)
	w.ends(syscall.SIGTERM)
	alone := s.start("worker", "--controller", address, "--id", "w-1", "--cpu", "1", "--memory", "1GiB")
	alone.err.until(t, "not registered; trying again")
	alone.ends(syscall.SIGTERM)
}

func TestAnAddressThatIsTakenIsExplained(t *testing.T) {
	t.Parallel()
	address := booted(t)
	for _, args := range [][]string{
		{"controller", "--ephemeral"}, {"controller", "--data-dir", "data"}, {"worker", "--id", "w", "--controller", address}, {"cluster", "start", "--local"},
	} {
		got := at(t, "").run(append(args, "--listen", address)...)
		want := fmt.Sprintf("iris: cannot listen on %s: address already in use; something serves there already, perhaps another Iris: ask it with "+
			"`iris worker list`, or choose another address with --listen, such as 127.0.0.1:0 for a free port\n", address)
		if got.code != exitError || !strings.HasSuffix(got.err, want) {
			t.Errorf("%v: exit code %d\n%s", args, got.code, got.err)
		}
	}
}

// A controller is killed and started again on what it left: its jobs are there, and who follows one notices a pause only.
func TestAControllerComesBackWithItsJobs(t *testing.T) {
	t.Parallel()
	s, address := at(t, ""), free(t)
	s = s.with("IRIS_CONTROLLER=" + address)
	args := []string{"controller", "--data-dir", "data", "--listen", address}
	c := s.start(args...)
	c.ready()
	w := s.start("worker", "--id", "w-0", "--cpu", "1", "--memory", "1GiB", "--poll-interval", "100ms")
	w.ready()
	flag := filepath.Join(s.home, "go")
	p := s.start("job", "run", "--name", "long", "--", "sh", "-c", "until [ -e "+flag+" ]; do sleep 0.1; done; echo done")
	p.err.until(t, "iris: RUNNING")
	c.signal(syscall.SIGKILL)
	c.wait()
	p.err.until(t, `iris: no controller answers at .* \(connection refused\); trying for 10m0s`)
	c = s.start(args...)
	c.ready()
	p.err.until(t, "iris: a controller answers again")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := p.wait(); got.code != 0 || got.out != "done\n" || strings.Count(got.err, "no controller answers") != 1 {
		t.Errorf("exit code %d\n%s\n%s", got.code, got.out, got.err)
	}
	w.ends(syscall.SIGTERM)
	c.ends(syscall.SIGTERM)
}

// Three controllers with credentials: two join the first, the leader is stopped, and another one takes over.
func TestControllersJoinAndTakeOver(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	if got := s.run("auth", "init", "--host", "127.0.0.1", "--worker", "w-0"); got.code != 0 || !strings.Contains(got.out, "secrets/ca.pem") {
		t.Fatalf("auth init: %+v", got)
	}
	server := []string{"--ca", "secrets/ca.pem", "--tokens-file", "secrets/tokens"}
	addresses := []string{free(t), free(t), free(t)}
	all := strings.Join(addresses, ",")
	s = s.with("IRIS_CONTROLLER="+all, "IRIS_CA=secrets/ca.pem")
	admin := s.with("IRIS_TOKEN_FILE=secrets/admin.token")
	var controllers []*process
	for i, address := range addresses {
		args := append([]string{
			"controller", "--id", fmt.Sprintf("c-%d", i), "--data-dir", fmt.Sprintf("c-%d", i), "--listen", address,
			"--cert", "secrets/controller.pem", "--key", "secrets/controller-key.pem", "--chaos",
		}, server...)
		if i > 0 {
			args = append(args, "--join", addresses[0])
		}
		c := s.start(args...)
		c.ready()
		if i > 0 {
			c.err.until(t, "controller takes part")
		}
		controllers = append(controllers, c)
	}
	w := s.start(append([]string{
		"worker", "--id", "w-0", "--cpu", "1", "--memory", "1GiB", "--chaos",
		"--cert", "secrets/worker-w-0.pem", "--key", "secrets/worker-w-0-key.pem",
	}, server...)...)
	w.ready()

	members := func(leader int) string {
		out := "ID   ROLE     ADDRESS\n"
		for i, address := range addresses {
			role := "follows"
			if i == leader {
				role = "leads  "
			}
			out += fmt.Sprintf("c-%d  %s  %s\n", i, role, address)
		}
		return out
	}
	if got := admin.run("cluster", "members", "list"); got.out != members(0) {
		t.Errorf("the controllers are\n%s\n%s", got.out, got.err)
	}
	if got := admin.run("cluster", "members", "transfer", "c-1"); got.out != members(1) {
		t.Errorf("after the transfer they are\n%s\n%s", got.out, got.err)
	}
	user := s.with("IRIS_TOKEN_FILE=secrets/user.token")
	user.run("job", "run", "--", "echo", "one").expect(t, 0, "one\n", "iris: job echo-ID is launched\niris: job echo-ID SUCCEEDED after TIME\n")
	controllers[1].ends(syscall.SIGTERM)
	if got := user.run("job", "run", "--patience", "30s", "--", "echo", "two"); got.code != 0 || got.out != "two\n" {
		t.Errorf("after the leader has gone: %+v", got)
	}
	if got := admin.run("cluster", "check", "--patience", "30s"); got.code != 0 || got.out != "all invariants hold\n" {
		t.Errorf("cluster check: %+v", got)
	}

	// chaos reaches the worker through whichever controller is asked, and users may not
	if got := admin.run("chaos", "enable", "--id", "x", "--target", "w-0", "worker.create_container", "max", "1"); got.code != 0 ||
		!strings.Contains(got.out, "x  worker.create_container[cluster=iris] max 1 fail\n  w-0  armed, never reached\n") {
		t.Errorf("chaos enable: %+v", got)
	}
	if got := user.run("job", "run", "--max-retries-failure", "1", "--", "echo", "three"); got.code != 0 || !strings.Contains(got.err, "1 failed") {
		t.Errorf("with chaos: %+v", got)
	}
	user.run("chaos", "list").expect(t, exitError, "", "iris: the controller at "+steady(all)+" does not allow that: "+
		"role user may not call /iris.v1.ChaosService/ListRules; allowed: controller, admin\n")
	s.run("job", "list").expect(t, exitError, "", "iris: the controller at "+steady(all)+" does not know who you are: the call has no "+
		"credentials; this server takes tokens and certificates (iris auth token and iris auth issue make them). Show a token with "+
		"--token-file, or a certificate with --cert and --key\n")
	w.ends(syscall.SIGTERM)
	controllers[0].ends(syscall.SIGTERM)
	controllers[2].ends(syscall.SIGTERM)
}

func TestClusterStartIsReadyAtOnceAndEndsOnCtrlC(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	began := time.Now()
	c := s.start("cluster", "start", "--local", "--listen", "127.0.0.1:0")
	address := c.ready()
	if took := time.Since(began); took > 5*time.Second { // a second, on a machine that does nothing else
		t.Errorf("it took %v", took)
	}
	c.out.until(t, "(?m)^  iris chaos enable")
	want := fmt.Sprintf(`iris cluster demo serves at %[1]s: 2 workers, 8 CPU and 32 GiB in all. Ctrl-C ends it.

  iris job run --controller %[1]s -- echo hello                          # run a job
  iris top --controller %[1]s                                            # see the cluster; q ends it
  iris chaos enable --controller %[1]s 'worker.create_container max 1'   # break something: the next attempt fails
`, address)
	if got := c.out.String(); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	// what it says to type does what it says
	s.run("job", "run", "--controller", address, "--", "echo", "hello").expect(t, 0, "hello\n",
		"iris: job echo-ID is launched\niris: job echo-ID SUCCEEDED after TIME\n")
	if got := s.run("worker", "list", "--controller", address); got.code != 0 || strings.Count(got.out, "LIVE") != 2 {
		t.Errorf("worker list: %+v", got)
	}
	if got := s.run("chaos", "enable", "--controller", address, "worker.create_container max 1"); got.code != 0 {
		t.Errorf("chaos enable: %+v", got)
	}
	if got := s.run("job", "run", "--controller", address, "--", "true"); got.code != exitFailed {
		t.Errorf("the next attempt: %+v", got)
	}
	c.ends(os.Interrupt)
}

func TestClusterStartFromADescription(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	description := "name: mine\ngroups:\n  - {name: g, cpu: 1, memory: 1GiB, min_slices: 3, max_slices: 3, zones: [a]}\n"
	if err := os.WriteFile(filepath.Join(s.home, "mine.yaml"), []byte(description), 0o600); err != nil {
		t.Fatal(err)
	}
	c := s.start("cluster", "start", "-f", "mine.yaml", "--listen", "127.0.0.1:0", "--data-dir", "data")
	address := c.ready()
	if !strings.Contains(c.out.String(), "iris cluster mine serves at "+address+": 3 workers, 3 CPU and 3 GiB in all.") {
		t.Errorf("it says\n%s", c.out)
	}
	if got := s.run("chaos", "list", "--controller", address); got.code != exitError || !strings.Contains(got.err, "without --chaos") {
		t.Errorf("chaos without being asked for: %+v", got)
	}
	c.ends(syscall.SIGTERM)
	s.run("cluster", "start", "-f", "none.yaml").expect(t, exitUsage, "",
		"iris: read the cluster's description: open none.yaml: no such file or directory\n")
}

// The cluster that --local starts is the one that the documentation shows.
func TestTheLocalClusterIsTheDemo(t *testing.T) {
	demo, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(demo) != string(local) {
		t.Error("local.yaml and examples/demo.yaml differ; copy one over the other")
	}
}

// The keeper's verb is hidden, obeys no settings but its flags, and ends when no worker comes.
func TestAKeeperWaitsForItsWorkerAndEnds(t *testing.T) {
	t.Parallel()
	s := at(t, "").with("IRIS_IDLE=nonsense")
	s.settle("nonsense: true\n")
	dir := filepath.Join(s.home, "k")
	p := s.start("keeper", "--dir", dir, "--idle", "300ms")
	if got := p.wait(); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		t.Errorf("it was never there: %v", err)
	}
	s.run("keeper").expect(t, exitUsage, "", "iris: `iris keeper` wants --dir\niris: see `iris keeper --help`\n")
	if got := s.run("--help"); strings.Contains(got.out, "keeper") {
		t.Errorf("it is not hidden:\n%s", got.out)
	}
}

// A controller that joins must be named, and may have any name: that of the first one too, when it comes back with an empty
// directory.
func TestAControllerThatJoinsIsNamed(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	s.run("controller", "--join", "127.0.0.1:1", "--data-dir", "x", "--listen", free(t)).expect(t, exitUsage, "",
		"iris: a controller that joins others needs a name of its own; c-0 is the first one's: give --id\n")
	c := s.start("controller", "--id", "c-0", "--join", "127.0.0.1:1", "--data-dir", "x", "--listen", free(t))
	c.ready()
	c.err.until(t, "controller does not take part yet")
	c.ends(syscall.SIGTERM)
}

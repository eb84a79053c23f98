package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iris/iris/config"
)

// behaviour names, in the environment, what this test's own binary does in place of an iris daemon.
const behaviour = "DAEMON_TEST_BEHAVIOUR"

var behaviours = map[string]func(){
	"serve":      func() { serve(toldToEnd()) },
	"break":      func() { fmt.Fprintln(os.Stderr, "level=ERROR msg=\"no disk\""); os.Exit(3) },
	"be silent":  func() { <-toldToEnd() },
	"end badly":  func() { serve(toldToEnd()); fmt.Fprintln(os.Stderr, "what a mess"); os.Exit(7) },
	"serve once": func() { serve(time.After(0)) },
	"ignore": func() {
		signal.Ignore(syscall.SIGTERM)
		serve(time.After(time.Hour))
	},
	"leave a child": func() {
		child := exec.Command("sleep", "3600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		serve(toldToEnd())
	},
}

// serve says that it serves, at an address that tells one process from another, and does so until then.
func serve[T any](until <-chan T) {
	fmt.Printf("iris %s serves at process:%d\n", os.Args[1], os.Getpid())
	<-until
}

// toldToEnd hears of the wish that the process end.
func toldToEnd() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	return c
}

func TestMain(m *testing.M) {
	if act := behaviours[os.Getenv(behaviour)]; act != nil {
		act()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// log is what daemons say, whoever says it.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newTestFleet is a controller and two workers which are this binary. They behave as a test says.
func newTestFleet(t *testing.T, act string) (*Fleet, *log) {
	t.Helper()
	said := &log{}
	f, err := NewFleet(Config{
		Binary: os.Args[0], Log: said,
		Cluster: config.Cluster{Name: "test", Groups: []config.Group{{Name: "cpu", CPU: 4, Memory: 16 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"here"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.All() {
		d.Setenv(behaviour, act)
	}
	return f, said
}

func (f *Fleet) startReady(t *testing.T) {
	t.Helper()
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stopped stops the fleet, which must then be gone, and wants the error to say these texts, or to be nil.
func (f *Fleet) stopped(t *testing.T, says ...string) {
	t.Helper()
	wantError(t, f.Stop(), says...)
	if left := f.Remains(); len(left) > 0 {
		t.Errorf("after the stop there are %v", left)
	}
	if _, err := os.Stat(f.dir); !os.IsNotExist(err) {
		t.Errorf("after the stop %s is there: %v", f.dir, err)
	}
}

func wantError(t *testing.T, err error, says ...string) {
	t.Helper()
	if (err == nil) != (len(says) == 0) {
		t.Errorf("error %v, want %q", err, says)
		return
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q", err, text)
		}
	}
}

func TestFleetServesAndEnds(t *testing.T) {
	f, said := newTestFleet(t, "serve")
	f.startReady(t)
	if n := len(f.Remains()); n != 3 {
		t.Errorf("%d processes run: %v", n, f.Remains())
	}
	if address := f.Controllers[0].Address(); !strings.HasPrefix(address, "process:") {
		t.Errorf("the controller serves at %q", address)
	}
	f.stopped(t)
	if text := "w-1 | iris worker serves at " + f.Workers[1].Address() + "\n"; !strings.Contains(said.String(), text) {
		t.Errorf("the log lacks %q:\n%s", text, said)
	}
}

func TestFleetThatWasNotStartedLeavesNothing(t *testing.T) {
	f, _ := newTestFleet(t, "serve")
	f.stopped(t)
}

func TestDaemonIsKilledAndStartedAgain(t *testing.T) {
	f, _ := newTestFleet(t, "serve")
	f.startReady(t)
	w := f.Workers[0]
	first := w.Address()
	wantError(t, w.Start(), "w-0 runs already")
	for range 2 { // killing the dead does nothing
		if err := w.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.Address() == first {
		t.Error("the process that was killed still serves")
	}
	f.stopped(t)
}

func TestDaemonThatWasKilledNeedNotEndWell(t *testing.T) {
	f, _ := newTestFleet(t, "serve")
	f.startReady(t)
	if err := f.Controllers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	f.stopped(t)
}

func TestDaemonThatBreaksSaysWhy(t *testing.T) {
	f, _ := newTestFleet(t, "serve")
	f.Workers[1].Setenv(behaviour, "break")
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.Ready(t.Context()), "w-1 ended before it served: exit status 3: it said last: level=ERROR msg=\"no disk\"")
	f.stopped(t, "w-1 ended by itself: exit status 3: it said last: level=ERROR msg=\"no disk\"")
}

func TestDaemonThatEndsByItselfIsAnError(t *testing.T) {
	f, _ := newTestFleet(t, "serve once")
	for _, d := range f.All() {
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		<-d.current.exited
		wantError(t, d.Kill(), d.Name+" ended by itself: exit status 0")
	}
	f.stopped(t, "c-0 ended by itself: exit status 0: it said nothing", "w-0 ended by itself", "w-1 ended by itself")
}

func TestDaemonThatEndsBadlyIsAnError(t *testing.T) {
	f, _ := newTestFleet(t, "end badly")
	f.startReady(t)
	f.stopped(t, "c-0 ended with exit status 7", "w-0 ended with exit status 7", "w-1 ended with exit status 7")
}

func TestDaemonThatDoesNotServeIsNotAwaitedForEver(t *testing.T) {
	f, _ := newTestFleet(t, "be silent")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wantError(t, f.Start(ctx), "c-0 does not serve: context deadline exceeded: it said nothing")
	for _, d := range f.All() {
		if err := d.Kill(); err != nil {
			t.Error(err)
		}
	}
	f.stopped(t)
}

func TestDaemonThatDoesNotEndIsKilled(t *testing.T) {
	f, _ := newTestFleet(t, "ignore")
	f.startReady(t)
	wantError(t, f.Workers[0].Terminate(50*time.Millisecond), "w-0 runs on, 50ms after terminated")
	for _, d := range f.All() {
		if err := d.Kill(); err != nil {
			t.Error(err)
		}
	}
	f.stopped(t)
}

func TestWhatOutlivesItsDaemonIsFoundAndEnded(t *testing.T) {
	f, _ := newTestFleet(t, "serve")
	f.Workers[1].Setenv(behaviour, "leave a child")
	f.startReady(t)
	f.stopped(t, "(sleep 3600) outlives its fleet")
}

func TestControllersOfTwoFleetsHaveAddressesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		address, err := freeAddress(len(seen))
		if err != nil {
			t.Fatal(err)
		}
		if seen[address] {
			t.Errorf("%s was given away twice", address)
		}
		seen[address] = true
	}
}

// What specs run is what users run: the flags of the binary that is built.
func TestBuiltBinaryTakesTheFlagsOfAFleet(t *testing.T) {
	binary, err := Build(t.Context(), filepath.Join("..", ".."), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, _ := newTestFleet(t, "")
	for _, d := range f.All() {
		d.binary = binary
	}
	f.startReady(t)
	if got := f.Controllers[0].Address(); got != f.Addresses() {
		t.Errorf("the controller serves at %s, want %s", got, f.Addresses())
	}
	if got := f.Workers[0].Address(); !regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(got) {
		t.Errorf("the worker serves at %q", got)
	}
	f.stopped(t)
}

package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// shown is what a daemon answers over HTTP.
func shown(t *testing.T, address, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// metricsAt is where a daemon says that it shows its metrics.
func (p *process) metricsAt() string {
	p.t.Helper()
	line := p.err.until(p.t, `metrics are served" address=127\.0\.0\.1:[0-9]+`)
	_, address, _ := strings.Cut(line, "address=")
	return address
}

func TestDaemonsShowWhatGoesOnInThem(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--pprof")
	address := c.ready()
	w := s.start("worker", "--controller", address, "--id", "w-0", "--cpu", "1", "--memory", "1GiB", "--metrics-listen", "127.0.0.1:0")
	w.ready()
	s.with("IRIS_CONTROLLER="+address).run("job", "run", "--", "echo", "hello").expect(t, 0, "hello\n",
		"iris: job echo-ID is launched\niris: job echo-ID SUCCEEDED after TIME\n")
	for page, wants := range map[string][]string{
		c.metricsAt(): {
			"\niris_leads 1\n", "\niris_jobs_ended_total{state=\"SUCCEEDED\"} 1\n", "\niris_workers{state=\"live\"} 1\n",
			"\niris_rpc_served_total{code=\"OK\",method=\"iris.v1.ControllerService/LaunchJob\"} 1\n",
			"\niris_rpc_made_total{code=\"OK\",method=\"iris.v1.WorkerService/RunTask\"} 1\n",
			"\niris_chaos_firings_total{site=\"controller.dispatch\"} 0\n", "\ngo_goroutines ",
		},
		w.metricsAt(): {
			"\niris_worker_registered 1\n", "\niris_worker_attempts_ended_total{state=\"SUCCEEDED\"} 1\n",
			"\niris_rpc_served_total{code=\"OK\",method=\"iris.v1.WorkerService/RunTask\"} 1\n",
		},
	} {
		code, text := shown(t, page, "/metrics")
		for _, want := range wants {
			if code != 200 || !strings.Contains(text, want) {
				t.Errorf("/metrics is %d and does not have %q:\n%s", code, want, text)
			}
		}
		if code, text := shown(t, page, "/healthz"); code != 200 {
			t.Errorf("/healthz is %d %s", code, text)
		}
	}
	if code, _ := shown(t, c.metricsAt(), "/debug/pprof/goroutine"); code != 200 {
		t.Errorf("with --pprof profiles are %d", code)
	}
	if code, _ := shown(t, w.metricsAt(), "/debug/pprof/goroutine"); code != 404 {
		t.Errorf("without it they are %d", code)
	}
	w.ends(syscall.SIGTERM)
	c.ends(syscall.SIGTERM)
}

func TestProfilesNeedAnAddressOfThisMachine(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	for _, daemon := range [][]string{
		{"controller", "--ephemeral", "--listen", "127.0.0.1:0", "--pprof"},
		{"worker", "--id", "w-0", "--pprof"},
	} {
		if got := s.run(daemon...); got.code != exitUsage || !strings.Contains(got.err, "--pprof shows its profiles where --metrics-listen says") {
			t.Errorf("%v: exit code %d\n%s", daemon, got.code, got.err)
		}
		got := s.run(append(daemon, "--metrics-listen", "0.0.0.0:0")...)
		if got.code != exitError || !strings.Contains(got.err, "profiles are for this machine alone") {
			t.Errorf("%v: exit code %d\n%s", daemon, got.code, got.err)
		}
	}
}

// collector is where spans are sent to. It keeps them as they come.
type collector struct {
	mu   sync.Mutex
	text string
}

func (c *collector) take(_ any, stream grpc.ServerStream) error {
	in := &emptypb.Empty{}
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	c.mu.Lock()
	c.text += string(in.ProtoReflect().GetUnknown())
	c.mu.Unlock()
	return stream.SendMsg(&emptypb.Empty{})
}

// Command, controller and worker send their spans where the usual variable says.
func TestEveryProcessSendsItsSpans(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	spans := &collector{}
	server := grpc.NewServer(grpc.UnknownServiceHandler(spans.take))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s := at(t, "").with("OTEL_EXPORTER_OTLP_ENDPOINT=http://" + listener.Addr().String())
	c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0")
	s = s.with("IRIS_CONTROLLER=" + c.ready())
	w := s.start("worker", "--id", "w-0", "--cpu", "1", "--memory", "1GiB")
	w.ready()
	if got := s.run("job", "run", "--workspace", t.TempDir(), "--", "echo", "hello"); got.code != 0 { // there is something to build
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
	w.ends(syscall.SIGTERM)
	c.ends(syscall.SIGTERM)
	server.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"iris-controller", "iris-worker", "iris.v1.ControllerService/LaunchJob", "queue", "dispatch", "attempt", "build", "run",
	} {
		if !strings.Contains(spans.text, want) {
			t.Errorf("there is no %q among what was sent", want)
		}
	}
}

package telemetry

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/test/bufconn"
)

// page has one metric, and is healthy.
func page() Page {
	registry := prometheus.NewRegistry()
	answer := prometheus.NewGauge(prometheus.GaugeOpts{Name: "iris_answer", Help: "What is asked for."})
	answer.Set(42)
	registry.MustRegister(answer)
	return Page{Metrics: registry, Healthy: func() bool { return true }, Log: slog.New(slog.DiscardHandler)}
}

// served serves a page at a TCP address until the test ends.
func served(t *testing.T, p Page) *Server {
	t.Helper()
	s, err := Serve(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// get returns the code and the text of a path. The host is what the request says it is for; empty: the address.
func get(t *testing.T, address, path, host string) (int, string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text)
}

func TestAPageShowsMetricsAndHealth(t *testing.T) {
	p, healthy := page(), true
	p.Healthy = func() bool { return healthy }
	s := served(t, p)
	if !loopback(s.listener.Addr()) {
		t.Errorf("without an address it is served at %s", s.Address())
	}
	if code, text := get(t, s.Address(), "/metrics", ""); code != 200 || !strings.Contains(text, "\niris_answer 42\n") {
		t.Errorf("/metrics is %d %s", code, text)
	}
	if code, text := get(t, s.Address(), "/healthz", ""); code != 200 || text != "ok\n" {
		t.Errorf("/healthz of what is healthy is %d %s", code, text)
	}
	healthy = false
	if code, text := get(t, s.Address(), "/healthz", ""); code != 503 || text != "not serving\n" {
		t.Errorf("/healthz of what is not is %d %s", code, text)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/debug/pprof/profile", "/debug/vars"} {
		if code, _ := get(t, s.Address(), path, ""); code != 404 {
			t.Errorf("%s is %d", path, code)
		}
	}
}

func TestProfilesAreForLoopbackAlone(t *testing.T) {
	p := page()
	p.Profiles = true
	s := served(t, p)
	for _, host := range []string{"", "localhost", "localhost:1", "[::1]:1", "10.0.0.1"} {
		if code, text := get(t, s.Address(), "/debug/pprof/goroutine?debug=1", host); code != 200 || !strings.Contains(text, "goroutine profile") {
			t.Errorf("for host %q it is %d %s", host, code, text)
		}
	}
	if code, _ := get(t, s.Address(), "/debug/pprof/heap", "evil.example:80"); code != 403 {
		t.Errorf("for a name that leads here it is %d", code)
	}
	p.Address = "0.0.0.0:0"
	if s, err := Serve(p); err == nil || !strings.Contains(err.Error(), "profiles are for this machine alone") {
		t.Errorf("on every interface they are served (%v), %v", s, err)
	}
	p.Profiles = false
	all := served(t, p)
	if code, _ := get(t, all.Address(), "/metrics", ""); code != 200 {
		t.Errorf("on every interface /metrics is %d", code)
	}
	if code, _ := get(t, all.Address(), "/debug/pprof/heap", ""); code != 404 {
		t.Errorf("on every interface profiles are %d", code)
	}
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	p := page()
	p.Address = served(t, p).Address()
	if s, err := Serve(p); err == nil || !strings.HasPrefix(err.Error(), "serve metrics: listen tcp ") {
		t.Errorf("it is served (%v), %v", s, err)
	}
}

// inBubble runs a test with a page in virtual time, and a connection to it.
func inBubble(t *testing.T, p Page, test func(*testing.T, *Server, net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(1 << 16)
		s, err := serve(p, listener)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := listener.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		test(t, s, conn)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Whoever sends a request a byte at a time keeps no connection.
func TestASlowRequestIsCutOff(t *testing.T) {
	inBubble(t, page(), func(t *testing.T, _ *Server, conn net.Conn) {
		began, wrote := time.Now(), make(chan struct{})
		go func() {
			defer close(wrote)
			for _, b := range []byte("GET /metrics HTTP/1.1\r\nHost: page\r\n") {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != headerTimeout {
			t.Errorf("it is cut off after %v", took)
		}
		<-wrote
	})
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	inBubble(t, page(), func(t *testing.T, _ *Server, conn net.Conn) {
		if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: page\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		began, from := time.Now(), bufio.NewReader(conn)
		response, err := http.ReadResponse(from, nil)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%v, %v", response, err)
		}
		if _, err := io.ReadAll(from); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != idleTimeout {
			t.Errorf("it is closed after %v", took)
		}
	})
}

// slow is a metric that takes its time.
type slow struct {
	prometheus.Gauge
	takes time.Duration
}

func (s slow) Collect(to chan<- prometheus.Metric) {
	time.Sleep(s.takes)
	s.Gauge.Collect(to)
}

// An answer that is under way when the server stops has a while; then it is cut off.
func TestCloseWaitsForAnswersAndNotForEver(t *testing.T) {
	for name, c := range map[string]struct{ takes, waits time.Duration }{
		"a short one": {3 * time.Second, 3 * time.Second},
		"a long one":  {8 * time.Second, stopTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			registry.MustRegister(slow{prometheus.NewGauge(prometheus.GaugeOpts{Name: "iris_slow", Help: "Slow."}), c.takes})
			p := page()
			p.Metrics = registry
			inBubble(t, p, func(t *testing.T, s *Server, conn net.Conn) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				answered := make(chan error, 1)
				go func() {
					_, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: page\r\n\r\n"))
					if err == nil {
						_, err = http.ReadResponse(bufio.NewReader(conn), nil)
					}
					select {
					case answered <- err:
					case <-ctx.Done():
					}
				}()
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				began := time.Now()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				// Shutdown looks every now and then whether all is answered
				if took := time.Since(began); took < c.waits-time.Nanosecond || took > c.waits+time.Second {
					t.Errorf("it took %v", took)
				}
				if err := <-answered; (err == nil) != (c.takes < c.waits+1) {
					t.Errorf("the answer's error is %v", err)
				}
				time.Sleep(c.takes) // what was cut off ends by itself
			})
		})
	}
}

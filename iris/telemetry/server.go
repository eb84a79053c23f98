package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	headerTimeout = 5 * time.Second  // of a request's head, however slowly it comes
	readTimeout   = 10 * time.Second // of a whole request: none has a body worth reading
	idleTimeout   = time.Minute      // of a connection between two requests
	writeTimeout  = 30 * time.Second // of an answer
	profileTime   = 2 * time.Minute  // of an answer where there are profiles, which take as long as they are asked to
	maxHeader     = 16 << 10         // bytes
	maxScrapes    = 4                // at once; more are answered 503
	stopTimeout   = 5 * time.Second  // for what is being answered when the server stops
)

// Page is what a process shows over HTTP: /metrics for Prometheus, /healthz for whoever watches over it (200 or 503), and
// on loopback, if asked for, /debug/pprof/ for whoever looks into it.
type Page struct {
	// Address is host:port, or :port for every interface. Default: a free port on loopback.
	Address string
	// Metrics is what is exposed.
	Metrics prometheus.Gatherer
	// Healthy is what /healthz says. It is asked each time, and must not wait.
	Healthy func() bool
	// Profiles offers /debug/pprof/. It shows what is in the process's memory, and takes no credentials, so that it is
	// refused on an address that others reach.
	Profiles bool
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Server is a page that is served.
type Server struct {
	http     *http.Server
	listener net.Listener
	log      *slog.Logger
	running  sync.WaitGroup
}

// Serve opens the address and serves the page until Close.
func Serve(p Page) (*Server, error) {
	if p.Address == "" {
		p.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", p.Address)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	s, err := serve(p, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return s, nil
}

// serve serves the page at a listener, which Close closes.
func serve(p Page, listener net.Listener) (*Server, error) {
	if p.Log == nil {
		p.Log = slog.Default()
	}
	if p.Profiles && !loopback(listener.Addr()) {
		return nil, fmt.Errorf("serve metrics: profiles are for this machine alone, and %v can be reached from others; "+
			"serve on 127.0.0.1, or without profiles", listener.Addr())
	}
	s := &Server{listener: listener, log: p.Log, http: &http.Server{
		Handler: p.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
	}}
	if p.Profiles {
		s.http.WriteTimeout = profileTime
	}
	s.running.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("metrics are not served any more", "error", err)
		}
	})
	return s, nil
}

// loopback reports whether nobody but this machine reaches an address.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func (p Page) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: readTimeout, ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		text := "ok\n"
		if !p.Healthy() {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = "not serving\n"
		}
		_, _ = io.WriteString(w, text) // whoever asked has gone
	})
	if p.Profiles {
		for path, show := range map[string]http.HandlerFunc{
			"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
		} {
			mux.HandleFunc("GET /debug/pprof/"+path, byAddress(show))
		}
	}
	return mux
}

// byAddress refuses requests for a host by a name other than localhost: a page in this machine's browser could have its own
// name lead here.
func byAddress(show http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
			http.Error(w, "profiles are shown at an address or at localhost, not at "+strconv.Quote(host), http.StatusForbidden)
			return
		}
		show(w, r)
	}
}

// Address is where the page is served.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the server. What is being answered has 5 s to be, then it is cut off.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.running.Wait()
	return err
}

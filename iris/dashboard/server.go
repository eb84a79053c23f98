package dashboard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"iris/iris/network"
)

const (
	headerTimeout  = 5 * time.Second  // of a request's head
	readTimeout    = 10 * time.Second // of a whole request
	writeTimeout   = 30 * time.Second // of an answer that is no stream
	idleTimeout    = time.Minute      // of a connection between two requests
	maxHeader      = 16 << 10         // bytes
	maxConnections = 1000
	stopTimeout    = 5 * time.Second // for what is being answered when the server stops
)

// Config is what a dashboard needs.
type Config struct {
	// Address is host:port. Default: a free port on loopback.
	Address string
	// Conn reaches the controllers, without credentials of its own if callers need any. It stays the caller's.
	Conn grpc.ClientConnInterface
	// Cluster and Controller name the cluster, and the controller that this is the dashboard of.
	Cluster, Controller string
	// Leads reports whether that controller decides now: if not, the pages say so. Nil: it always does.
	Leads func() bool
	// Secured says that the controllers want credentials: viewers are asked for a token.
	Secured bool
	// TLS has the certificate to serve with. Nil: in the clear, on loopback only.
	TLS *tls.Config
	// Chaos says that the cluster lets itself be broken: there is a page for it.
	Chaos bool
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Server is a dashboard that is served.
type Server struct {
	config   Config
	calls    calls
	http     *http.Server
	listener net.Listener
	live     *live
	ctx      context.Context // of every request
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	handlers sync.WaitGroup // requests that are being answered
}

// Serve opens the address and serves until Close. It refuses an address that others reach, unless viewers need a token and
// the connection hides it.
func Serve(c Config) (*Server, error) {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if err := c.check(listener.Addr()); err != nil {
		return nil, errors.Join(fmt.Errorf("dashboard: %w", err), listener.Close())
	}
	return serve(c, listener), nil
}

// serve serves at a listener, which Close closes.
func serve(c Config, listener net.Listener) *Server {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Leads == nil {
		c.Leads = func() bool { return true }
	}
	s := &Server{config: c, calls: newCalls(c.Conn), listener: listener}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.live = newLive(s.ctx)
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, TLSConfig: c.TLS,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ErrorLog:    slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	s.running.Go(s.run)
	return s
}

func (s *Server) run() {
	limited := network.Limit(s.listener, maxConnections)
	var err error
	if s.config.TLS != nil {
		err = s.http.ServeTLS(limited, "", "")
	} else {
		err = s.http.Serve(limited)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.config.Log.Error("the dashboard is not served any more", "error", err)
	}
}

// check refuses an address where anybody could see and do what nobody in particular may, or read a token on its way.
func (c Config) check(address net.Addr) error {
	tcp, ok := address.(*net.TCPAddr)
	switch {
	case ok && tcp.IP.IsLoopback():
		return nil
	case !c.Secured:
		return fmt.Errorf("%v can be reached from other machines, and whoever reaches it could stop every job: serve it on "+
			"127.0.0.1, or give the controller tokens and a certificate", address)
	case c.TLS == nil:
		return fmt.Errorf("%v can be reached from other machines, and viewers' tokens would travel in the clear: serve it on "+
			"127.0.0.1, or give the controller a certificate", address)
	}
	return nil
}

// URL is where the dashboard is.
func (s *Server) URL() string {
	scheme := "http"
	if s.config.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String() + "/"
}

// Close ends the streams, then the server. What is being answered has 5 s to be, then it is cut off.
func (s *Server) Close() error {
	s.live.end()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	s.cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.handlers.Wait()
	s.live.wait()
	s.running.Wait()
	return err
}

// owned has Close wait for the handler.
func (s *Server) owned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			http.Error(w, "the dashboard is stopping", http.StatusServiceUnavailable)
			return
		}
		s.handlers.Add(1)
		s.mu.Unlock()
		defer s.handlers.Done()
		next.ServeHTTP(w, r)
	})
}

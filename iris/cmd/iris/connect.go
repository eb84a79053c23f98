package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/client"
	"iris/iris/settings"
	"iris/iris/telemetry"
)

// defaultController is where a controller serves, and is looked for, if nobody says otherwise.
const defaultController = "127.0.0.1:7070"

// controllerUsage is the help of --controller, for all verbs that have it.
const controllerUsage = "where the controllers serve: host:port, or several with commas"

// linkFlags are how a verb reaches the controllers.
type linkFlags struct {
	controllers []string
	patience    time.Duration
	credentials credentialFlags
}

func (f *linkFlags) add(flags *pflag.FlagSet) {
	f.controllers, f.patience = []string{defaultController}, 10*time.Second
	settings.ListVar(flags, &f.controllers, "controller", controllerUsage, ",", settings.Address())
	settings.Var(flags, &f.patience, "patience", "how long to try to reach them", settings.Duration(0))
	group(flags, reachFlags, "controller", "patience")
	f.credentials.add(flags)
}

// link is a connection to the controllers.
type link struct {
	*client.Client
	*away
	spans *telemetry.Traces
}

// Close ends the connection, and sends what has become of it, if somebody wants to know.
func (l *link) Close() error { return errors.Join(l.Client.Close(), l.spans.Close()) }

// connect prepares a connection; errors of calls on it are told with link.wrong.
func (a *app) connect(f *linkFlags, patience time.Duration) (*link, error) {
	addresses := strings.Join(f.controllers, ",")
	away := &away{addresses: addresses, patience: patience}
	away.tell(func(text string) { fmt.Fprintln(a.err, text) })
	credentials, err := f.credentials.dial(nil)
	if err != nil {
		return nil, err
	}
	spans, err := telemetry.NewTraces(context.Background(), "iris", strconv.Itoa(os.Getpid()), slog.New(slog.NewTextHandler(a.err, nil)))
	if err != nil {
		return nil, err
	}
	c, err := client.Connect(addresses, client.Patience(patience), client.Dial(telemetry.TraceDial(spans.Provider())...), client.Dial(credentials...),
		client.Dial(grpc.WithChainUnaryInterceptor(away.notice)))
	if err != nil {
		return nil, usageError{errors.Join(fmt.Errorf("flag --controller: %w", err), spans.Close())}
	}
	return &link{Client: c, away: away, spans: spans}, nil
}

func (l *link) wrong(err error) error { return wrong(err, l.addresses, l.patience) }

// where is the flag that makes another command reach the same controllers, if it needs one.
func (a *app) where(l *link) string {
	if l.addresses == defaultController || a.variable(settings.Variable("controller")) != "" {
		return ""
	}
	return " --controller " + l.addresses
}

// away says once that no controller can be reached, and once that one is back: silence looks like a hang.
type away struct {
	addresses string
	patience  time.Duration

	mu    sync.Mutex
	say   func(string)
	since time.Time // the first failure since the last success
	said  bool
}

// tell has the notices written by say.
func (w *away) tell(say func(string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say = say
}

// noticeAfter is how long failures are left to the other controllers and to the next try.
const noticeAfter = 250 * time.Millisecond

func (w *away) notice(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	err := invoke(ctx, method, in, out, conn, options...)
	w.note(err)
	return err
}

func (w *away) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s := status.Convert(err); s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		if w.since.IsZero() {
			w.since = time.Now()
		}
		if w.said || time.Since(w.since) < noticeAfter || w.patience < time.Second {
			return
		}
		w.said = true
		cause, ok := unreachable(s.Message())
		if !ok {
			cause = s.Message()
		}
		w.say(fmt.Sprintf("iris: no controller answers at %s (%s); trying for %v", w.addresses, cause, w.patience))
	case codes.Canceled:
	default:
		if w.said {
			w.say("iris: a controller answers again")
		}
		w.since, w.said = time.Time{}, false
	}
}

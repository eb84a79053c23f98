package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Rate is how often one caller may call.
type Rate struct {
	PerSecond float64
	Burst     int // calls at once
}

// DefaultRates keep one caller from taking the controller for itself. Workers share a credential in small clusters, so
// theirs is for many. Controllers are not limited.
var DefaultRates = map[Role]Rate{
	User:   {PerSecond: 1_000, Burst: 2_000},
	Admin:  {PerSecond: 1_000, Burst: 2_000},
	Worker: {PerSecond: 10_000, Burst: 20_000},
}

// anonymous is the rate of all health checks without credentials together.
var anonymous = Rate{PerSecond: 100, Burst: 200}

// maxCallers bounds each of the two generations of callers that are remembered.
const maxCallers = 4096

// rates count the calls of each caller. When too many callers are remembered, those that have not called since the last
// time that happened are forgotten: they begin with a full burst should they come again.
type rates struct {
	of map[Role]Rate

	mu       sync.Mutex
	now, old map[Identity]*rate.Limiter
}

func newRates(of map[Role]Rate) *rates {
	if of == nil {
		of = DefaultRates
	}
	return &rates{of: of, now: map[Identity]*rate.Limiter{}}
}

// take counts a call, or refuses it and says when to come again.
func (r *rates) take(who Identity) error {
	limit, limited := r.of[who.Role]
	if who.Role == "" {
		limit, limited = anonymous, true
	}
	if !limited {
		return nil
	}
	at := time.Now()
	reserved := r.limiter(who, limit).ReserveN(at, 1)
	if !reserved.OK() {
		return status.Errorf(codes.ResourceExhausted, "%s may not call at all: its burst is %d", who, limit.Burst)
	}
	wait := reserved.DelayFrom(at)
	if wait <= 0 {
		return nil
	}
	reserved.CancelAt(at)
	refusal := status.Newf(codes.ResourceExhausted, "%s calls too often: %g calls a second, %d at once; try again in %v",
		who, limit.PerSecond, limit.Burst, wait.Round(time.Millisecond))
	if detailed, err := refusal.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)}); err == nil {
		refusal = detailed
	}
	return refusal.Err()
}

func (r *rates) limiter(who Identity, limit Rate) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.now[who]
	if l != nil {
		return l
	}
	if l = r.old[who]; l == nil {
		l = rate.NewLimiter(rate.Limit(limit.PerSecond), limit.Burst)
	}
	if len(r.now) >= maxCallers {
		r.old, r.now = r.now, map[Identity]*rate.Limiter{}
	}
	r.now[who] = l
	return l
}

package network

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Repeat has a share of the unary calls of a to b arrive twice, above 0 and up to 1: such a call is made, and then once more
// with the same request and by the same deadline. Which of the two answers counts is a coin's decision, the other is thrown
// away. If it is the first one's, the caller goes on while the second call is under way: that ends by its deadline, or when
// the connection is closed, and Settle waits for it.
//
// A call that is over by its deadline, or given up, before it can be made again does not count. B is who listens at the
// connection's address when the call is made; of a connection that follows the leader of several controllers, each try is a
// call of its own, to the one that it goes to.
func (fs Faults) Repeat(a, b string, share float64) *Fault {
	must(share > 0 && share <= 1, "Repeat(%v): want a share above 0, and 1 at the most", share)
	return fs.add(&Fault{kind: repeat, a: a, b: b, share: share})
}

// Reorder holds a share of the unary calls of a to b back, above 0 and up to 1: each for a random time up to d before it is
// sent, so that later ones overtake it. One whose context ends meanwhile is never sent; all are sent when the fault ends.
//
// Who waits for an answer before it calls again is not overtaken by itself, unless calls are repeated too (see Repeat, also
// for who b is): either of the two may be held back.
func (fs Faults) Reorder(a, b string, share float64, d time.Duration) *Fault {
	must(share > 0 && share <= 1 && d > 0, "Reorder(%v, %v): want a share above 0 and 1 at the most, and a time above 0", share, d)
	return fs.add(&Fault{kind: reorder, a: a, b: b, share: share, d: d})
}

// Settle heals the network and waits until no call that it has repeated is under way. Call it once the participants have
// closed their connections, and nothing of the network is left.
func (m *Memory) Settle() {
	m.Faults().Heal()
	m.again.Wait()
}

// ofCalls reports whether a kind is about calls, and not about the bytes that they are sent as.
func (k kind) ofCalls() bool { return k == repeat || k == reorder }

// calls are what the network does to the unary calls of a connection to an address, for Client.
func (m *Memory) calls(address string) grpc.DialOption { return m.callsOf("", address) }

func (s seat) calls(address string) grpc.DialOption { return s.network.callsOf(s.name, address) }

// callsOf is to be the last of the connection's interceptors: what others add to a call comes twice as well. Without a fault
// of calls it costs an atomic load.
func (m *Memory) callsOf(from, address string) grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		on := m.calling.Load()
		if on == nil {
			return invoke(ctx, method, in, out, conn, options...)
		}
		c := call{m, from, m.owner(address), func(ctx context.Context, in, out any, options []grpc.CallOption) error {
			return invoke(ctx, method, in, out, conn, options...)
		}}
		return c.make(ctx, *on, in.(proto.Message), out.(proto.Message), options)
	})
}

// call is one that is made while calls may suffer.
type call struct {
	network  *Memory
	from, to string
	invoke   func(ctx context.Context, in, out any, options []grpc.CallOption) error
}

// make makes the call as often as the faults want it to arrive.
func (c call) make(ctx context.Context, on []*Fault, in, out proto.Message, options []grpc.CallOption) error {
	by, coin := c.repeated(on)
	if by == nil {
		return c.send(ctx, in, out, options)
	}
	if coin.IntN(2) == 0 {
		_ = c.send(ctx, in, fresh(out), options) // the answer that does not count
		if !over(ctx) {
			by.calls.Add(1)
		}
		return c.send(ctx, in, out, options)
	}
	second := proto.Clone(in) // the caller may do what it likes with its own, once it has an answer
	err := c.send(ctx, in, out, options)
	if !over(ctx) {
		by.calls.Add(1)
		c.network.again.Go(func() {
			ctx, end := detached(ctx)
			defer end()
			_ = c.send(ctx, second, fresh(out), silent(options)) // as above
		})
	}
	return err
}

// repeated is the fault that repeats this call, if any does, and the source of what is random about that.
func (c call) repeated(on []*Fault) (*Fault, *rand.Rand) {
	for _, f := range on {
		if f.kind == repeat && f.on(c.from, c.to) {
			if draw := f.strikes(c.from, c.to); draw != nil {
				return f, draw
			}
		}
	}
	return nil, nil
}

// send sends the call once, held back by every fault that there is by now and wants it to be.
func (c call) send(ctx context.Context, in, out proto.Message, options []grpc.CallOption) error {
	on := c.network.calling.Load()
	if on == nil {
		return c.invoke(ctx, in, out, options)
	}
	for _, f := range *on {
		if f.kind != reorder || !f.on(c.from, c.to) {
			continue
		}
		if draw := f.strikes(c.from, c.to); draw != nil {
			f.calls.Add(1)
			if err := c.network.holdBack(ctx, f, 1+time.Duration(draw.Int64N(int64(f.d)))); err != nil {
				return status.FromContextError(err).Err()
			}
		}
	}
	return c.invoke(ctx, in, out, options)
}

// holdBack returns after d, when the fault is over, or with the error of the context.
func (m *Memory) holdBack(ctx context.Context, f *Fault, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		m.mu.Lock()
		over, changed := f.ended, m.changes()
		m.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-timer.C:
			return nil
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// strikes draws whether the next call of a way is one of the fault's share, and returns the source of whatever else is
// random about it; nil: it is not.
func (f *Fault) strikes(from, to string) *rand.Rand {
	f.mu.Lock()
	defer f.mu.Unlock()
	draw := f.draw(f.progress(from, to), from, to)
	if draw.Float64() >= f.share {
		return nil
	}
	return draw
}

// over reports whether nobody waits for a call any more. The other side may have seen the deadline pass before the context
// has.
func over(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && !time.Now().Before(deadline)
}

// detached is a context that outlives its caller, but not the deadline.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	alone := context.WithoutCancel(ctx)
	if deadline, bounded := ctx.Deadline(); bounded {
		return context.WithDeadline(alone, deadline)
	}
	return context.WithCancel(alone)
}

// fresh is an empty answer of the same kind.
func fresh(out proto.Message) proto.Message { return out.ProtoReflect().New().Interface() }

// silent are the options without those that would tell a caller who is gone.
func silent(options []grpc.CallOption) []grpc.CallOption {
	var kept []grpc.CallOption
	for _, o := range options {
		switch o.(type) {
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption, grpc.OnFinishCallOption:
		default:
			kept = append(kept, o)
		}
	}
	return kept
}

// suffering are the faults of calls that are not over; nil: there are none.
func suffering(faults []*Fault) *[]*Fault {
	var on []*Fault
	for _, f := range faults {
		if f.kind.ofCalls() && !f.ended {
			on = append(on, f)
		}
	}
	if on == nil {
		return nil
	}
	return &on
}

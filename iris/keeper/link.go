package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/network"
	pb "iris/iris/proto"
)

const (
	attachTimeout    = 30 * time.Second // until the keeper has told what it holds
	keepaliveEvery   = 10 * time.Second
	keepaliveTimeout = 20 * time.Second
	spawnTries       = 3
)

// errNobody: there is no keeper.
var errNobody = errors.New("nobody listens")

// errNoKeeper: there is none, and none can be started.
var errNoKeeper = errors.New("no keeper")

// link is an attachment to a keeper.
type link struct {
	conn     *grpc.ClientConn
	stream   pb.KeeperService_AttachClient
	cancel   context.CancelFunc
	keeper   string
	attempts []*pb.KeptAttempt // held by it at the beginning
	told     bool              // to end
	turn     chan struct{}     // held by whoever sends
}

func (l *link) close() {
	l.cancel()
	_ = l.conn.Close() // what was said through it is repeated through the next
}

// connect attaches to the keeper, and starts one if there is none. A keeper that does not answer is left alone.
func (c *Client) connect(ctx context.Context) (*link, error) {
	var last error
	for try := range spawnTries {
		if try > 0 {
			select {
			case <-time.After(time.Duration(try) * 100 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		l, err := c.attach(ctx)
		if err == nil || !errors.Is(err, errNobody) {
			return l, err
		}
		c.reap()
		child, err := spawn(ctx, c.options)
		if err != nil {
			last = err
			continue
		}
		c.child = child
		if l, err = c.attach(ctx); !errors.Is(err, errNobody) {
			return l, err
		}
		last = err
	}
	return nil, fmt.Errorf("%w: %w", errNoKeeper, last)
}

// reap collects a keeper that this process had started and that is dead.
func (c *Client) reap() {
	if c.child != nil {
		_ = c.child.Wait() // how it died is in its log
		c.child = nil
	}
}

// attach attaches to a keeper that listens. One that is about to end is waited for.
func (c *Client) attach(ctx context.Context) (*link, error) {
	for deadline := time.Now().Add(lockPatience); ; {
		l, err := c.tryAttach(ctx)
		if status.Code(err) != codes.Unavailable || time.Now().After(deadline) {
			return l, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Client) tryAttach(ctx context.Context) (*link, error) {
	dialer := &unixDialer{}
	conn, err := network.Client(dialer, filepath.Join(c.options.Dir, socketName),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMost), grpc.MaxCallSendMsgSize(messageMost)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}))
	if err != nil {
		return nil, err
	}
	lasting, cancel := context.WithCancel(c.ctx)
	l := &link{conn: conn, cancel: cancel, turn: make(chan struct{}, 1)}
	late := time.AfterFunc(attachTimeout, cancel)
	defer late.Stop()
	undo := context.AfterFunc(ctx, cancel)
	defer undo()
	err = c.greet(lasting, l)
	if err == nil {
		return l, nil
	}
	l.close()
	switch {
	case dialer.nobody():
		return nil, errNobody
	case status.Code(err) == codes.FailedPrecondition:
		return nil, ErrReplaced
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("the keeper does not answer: %w", err)
}

// greet learns what the keeper holds.
func (c *Client) greet(ctx context.Context, l *link) (err error) {
	if l.stream, err = pb.NewKeeperServiceClient(l.conn).Attach(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	hello := &pb.AttachHello{Generation: c.generation}
	c.mu.Unlock()
	_ = l.stream.Send(&pb.AttachRequest{Hello: hello}) // what is received says why it failed
	for synced := false; !synced; {
		in, err := l.stream.Recv()
		if err != nil {
			return err
		}
		if w := in.Welcome; w != nil {
			l.keeper = w.Keeper
			c.welcome(w)
		}
		l.attempts = append(l.attempts, in.Attempts...)
		synced = in.Synced
	}
	return nil
}

func (c *Client) welcome(w *pb.AttachWelcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == 0 && w.Lease != nil {
		c.lease = time.Now().Add(w.Lease.AsDuration())
	}
	c.generation, c.pid = w.Generation, int(w.Pid)
}

// serve sends orders and takes note of news until the link breaks.
func (c *Client) serve(l *link) error {
	c.reconcile(l)
	received := make(chan error, 1)
	var receiver sync.WaitGroup
	receiver.Go(func() { received <- c.receive(l) })
	defer receiver.Wait()
	defer l.close()
	defer c.detach()
	for {
		c.send()
		select {
		case <-c.wake:
		case err := <-received:
			return err
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

func (c *Client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.pid = nil, 0
}

// send sends the orders that wait, unless somebody is at it, who sends them as well. If it fails, the link is broken: what
// is received says so, and the orders are sent again through the next one.
func (c *Client) send() {
	for l := c.ordered(); l != nil; l = c.ordered() {
		select {
		case l.turn <- struct{}{}:
		default:
			return
		}
		for out := c.orders(l); out != nil; out = c.orders(l) {
			_ = l.stream.Send(out)
		}
		<-l.turn
	}
}

// ordered is the link through which orders are to be sent; nil: none wait, or there is no link.
func (c *Client) ordered() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || !c.renewed && len(c.start)+len(c.stopping)+len(c.forget) == 0 && (!c.shut || c.link.told) {
		return nil
	}
	return c.link
}

func (c *Client) receive(l *link) error {
	for {
		in, err := l.stream.Recv()
		if status.Code(err) == codes.FailedPrecondition {
			return ErrReplaced
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, a := range in.Attempts {
			if t := c.tasks[a.Uid]; t != nil {
				t.see(a)
			}
		}
		c.mu.Unlock()
	}
}

// reconcile compares what the keeper holds with what this process knows: news that were lost with the last link are told
// again here, and so are orders.
func (c *Client) reconcile(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.stopping, c.forget = nil, nil, nil
	c.renewed = !c.lease.IsZero()
	held := map[string]bool{}
	for _, a := range l.attempts {
		held[a.Uid] = true
		t := c.tasks[a.Uid]
		switch {
		case t == nil && (a.Phase == starting || a.Phase == running): // nobody asks for it any more
			t = newTask(c, a.Uid)
			t.settle(nil)
			t.stopAt = new(time.Time)
			c.tasks[a.Uid] = t
		case t == nil:
			c.forget = append(c.forget, a.Uid)
			continue
		}
		t.see(a)
		if t.stopAt != nil && !t.over {
			c.stopping = append(c.stopping, t)
		}
	}
	for uid, t := range c.tasks {
		switch {
		case held[uid] || t.over:
		case t.order != nil && (t.sentTo == "" || t.sentTo == l.keeper): // it has not arrived
			c.start = append(c.start, t)
		default:
			t.lose("its keeper died")
		}
	}
	l.attempts = nil
	c.link = l
}

// orders are those to be sent next; nil: none.
func (c *Client) orders(l *link) *pb.AttachRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l {
		return nil // what waits is for the next one
	}
	out, any := &pb.AttachRequest{}, false
	if c.renewed {
		c.renewed, any = false, true
		out.Lease = durationpb.New(time.Until(c.lease))
	}
	out.Forget, c.forget, c.forgetting = c.forget, nil, false
	n := 0
	for size := 0; n < len(c.start) && n < batchCount && (n == 0 || size <= batchBytes); n++ {
		t := c.start[n]
		t.sentTo = l.keeper
		out.Start = append(out.Start, t.order)
		size += t.size
	}
	c.start = c.start[n:]
	if len(c.start) == 0 { // a stop must not overtake the order it is for
		for _, t := range c.stopping {
			out.Stop = append(out.Stop, t.stopOrder())
		}
		c.stopping = nil
		out.ShutDown, l.told = c.shut && !l.told, c.shut
	}
	if !any && len(out.Start)+len(out.Stop)+len(out.Forget) == 0 && !out.ShutDown {
		return nil
	}
	return out
}

// unixDialer dials a socket in the file system.
type unixDialer struct {
	mu   sync.Mutex
	last error
}

func (*unixDialer) Listen(address string) (net.Listener, error) { return net.Listen("unix", address) }

func (d *unixDialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = err
	return conn, err
}

// nobody reports whether the socket has no keeper.
func (d *unixDialer) nobody() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Is(d.last, syscall.ENOENT) || errors.Is(d.last, syscall.ECONNREFUSED)
}

package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// The detail by which a controller that does not lead names the one that does.
const (
	errorDomain  = "iris"
	notLeader    = "NOT_LEADER"
	leaderDetail = "leader"
)

// NotLeader is how a controller refuses a call that only the leader can serve: UNAVAILABLE, with the leader's address as
// far as it is known, which Controllers follows, and with why the controller itself leads no more, if it has led.
func NotLeader(leader string, why error) error {
	text := "this controller does not lead, and knows of none that does; try again"
	if why != nil {
		text = fmt.Sprintf("no controller leads (%v); try again", why)
	}
	detail := &errdetails.ErrorInfo{Reason: notLeader, Domain: errorDomain}
	if leader != "" {
		text = fmt.Sprintf("this controller does not lead; the leader is at %s", leader)
		detail.Metadata = map[string]string{leaderDetail: leader}
	}
	s, err := status.New(codes.Unavailable, text).WithDetails(detail)
	if err != nil {
		return status.Error(codes.Unavailable, text) // the detail cannot be marshalled, which cannot be
	}
	return s.Err()
}

// Leader is the address that a refusal by NotLeader names; empty if the error is none, or names none.
func Leader(err error) string {
	for _, detail := range status.Convert(err).Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if ok && info.Domain == errorDomain && info.Reason == notLeader {
			return info.Metadata[leaderDetail]
		}
	}
	return ""
}

// Controllers is a connection to whichever of several controllers leads. A call goes to the one that led last; a refusal
// that names the leader, or silence, sends it on, and so do credentials that are not taken: they may be one controller's
// that are wrong. Each is tried once in a call, and a call that has a deadline leaves each a fair part of it. It is safe
// for concurrent use.
type Controllers struct {
	network Network
	options []grpc.DialOption

	mu     sync.Mutex
	known  []string // in the order of trying; the current one is the first
	conns  map[string]*grpc.ClientConn
	closed bool
}

// maxKnown bounds the addresses that refusals may add.
const maxKnown = 16

// ToControllers prepares a connection to the controllers at these addresses, separated by commas ("a:7070,b:7070"). It
// does not wait for them; options are as in Client.
func ToControllers(n Network, addresses string, options ...grpc.DialOption) (*Controllers, error) {
	c := &Controllers{network: n, options: options, conns: map[string]*grpc.ClientConn{}}
	for address := range strings.SplitSeq(addresses, ",") {
		if address = strings.TrimSpace(address); address != "" && !slices.Contains(c.known, address) {
			c.known = append(c.known, address)
		}
	}
	if len(c.known) == 0 {
		return nil, fmt.Errorf("%q names no controller; want host:port, or several with commas", addresses)
	}
	for _, address := range c.known {
		if _, err := c.conn(address); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Close ends all connections.
func (c *Controllers) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	clear(c.conns)
	return errors.Join(errs...)
}

// Reconnect ends the pauses between tries to connect: somebody has reason to believe that the other side is there again. What
// pauses is replaced, and connects when it is used next. gRPC's own way to end a pause, ResetConnectBackoff, may crash the process
// while a connection is made.
func (c *Controllers) Reconnect() {
	c.mu.Lock()
	var pausing []*grpc.ClientConn
	for address, conn := range c.conns {
		if conn.GetState() == connectivity.TransientFailure {
			pausing = append(pausing, conn)
			delete(c.conns, address)
		}
	}
	c.mu.Unlock()
	for _, conn := range pausing {
		_ = conn.Close() // only of one that was closed before it is an error
	}
}

// conn is the connection to one address, made when it is first asked for.
func (c *Controllers) conn(address string) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.conns[address]; conn != nil {
		return conn, nil
	}
	if c.closed {
		return nil, status.Error(codes.Canceled, "the connection to the controllers is closed")
	}
	conn, err := Client(c.network, address, c.options...)
	if err != nil {
		return nil, fmt.Errorf("controller at %q: %w", address, err)
	}
	c.conns[address] = conn
	return conn, nil
}

// current is who is to be asked now, and how many there are.
func (c *Controllers) current() (address string, known int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[0], len(c.known)
}

// follow draws the conclusion from an answer of address: it stays the current one, or another becomes it. It returns true
// if the call is worth trying there.
func (c *Controllers) follow(address string, err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Unauthenticated:
	default:
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if leader := Leader(err); leader != "" && leader != address {
		c.known = slices.DeleteFunc(c.known, func(a string) bool { return a == leader })
		c.known = slices.Insert(c.known, 0, leader)
		if len(c.known) > maxKnown {
			c.known = c.known[:maxKnown]
		}
		return true
	}
	if c.known[0] == address { // else somebody else has moved on already
		c.known = append(c.known[1:], address)
	}
	return c.known[0] != address
}

// Invoke makes a unary call; see Controllers.
func (c *Controllers) Invoke(ctx context.Context, method string, in, out any, options ...grpc.CallOption) error {
	for tried := 0; ; tried++ {
		address, known := c.current()
		err := c.invoke(ctx, address, known-tried, method, in, out, options)
		if err == nil || !c.follow(address, err) || tried >= known || ctx.Err() != nil {
			return err // one try more than there are: the first may lead by now
		}
	}
}

// invoke asks one of them, within its part of the time that is left.
func (c *Controllers) invoke(ctx context.Context, address string, left int, method string, in, out any,
	options []grpc.CallOption) error {
	conn, err := c.conn(address)
	if err != nil {
		return err
	}
	ctx, cancel := share(ctx, left)
	defer cancel()
	return conn.Invoke(ctx, method, in, out, options...)
}

// NewStream opens a stream to the current leader. Its errors are followed like a call's, for the next try.
func (c *Controllers) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string,
	options ...grpc.CallOption) (grpc.ClientStream, error) {
	address, _ := c.current()
	conn, err := c.conn(address)
	if err != nil {
		return nil, err
	}
	stream, err := conn.NewStream(ctx, desc, method, options...)
	if err != nil {
		c.follow(address, err)
		return nil, err
	}
	return &followedStream{ClientStream: stream, controllers: c, address: address}, nil
}

type followedStream struct {
	grpc.ClientStream
	controllers *Controllers
	address     string
}

// RecvMsg is where a stream's error shows.
func (s *followedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.controllers.follow(s.address, err)
	}
	return err
}

// share is a context with a fair part of the time that is left for so many tries; the last has all of it.
func share(ctx context.Context, tries int) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded || tries <= 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(tries))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refused is the gRPC status in an error, however wrapped; nil if it has none. Its message is what the other side said,
// without the code.
func refused(err error) *status.Status {
	var holder interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &holder) {
		return nil
	}
	return holder.GRPCStatus()
}

// words says an error without the ways of gRPC.
func words(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if s := refused(err); s != nil && strings.Contains(err.Error(), "rpc error: code = ") {
		return s.Message()
	}
	return err.Error()
}

// wrong turns an error of a call to the controllers at these addresses into what happened and what to do about it.
func wrong(err error, addresses string, patience time.Duration) error {
	s := refused(err)
	if s == nil || errors.Is(err, context.Canceled) {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		if cause, ok := unreachable(s.Message()); ok {
			return fmt.Errorf("cannot reach a controller at %s: %s. Is it running? Start one with `iris cluster start --local`, "+
				"or name it with --controller or IRIS_CONTROLLER", addresses, cause)
		}
		if strings.HasPrefix(s.Message(), "logs of ") { // it serves, but the worker does not answer
			return errors.New(plainly(s.Message()))
		}
		return fmt.Errorf("the controller at %s cannot serve now: %s", addresses, plainly(s.Message()))
	case codes.DeadlineExceeded:
		return fmt.Errorf("the controller at %s did not answer within %v; it may be overloaded or cut off", addresses, patience)
	case codes.Unauthenticated:
		return fmt.Errorf("the controller at %s does not know who you are: %s. Show a token with --token-file, or a certificate "+
			"with --cert and --key", addresses, s.Message())
	case codes.PermissionDenied:
		return fmt.Errorf("the controller at %s does not allow that: %s", addresses, s.Message())
	case codes.Unimplemented:
		return fmt.Errorf("the controller at %s cannot do that; it may be an older Iris than this one, or run without it: %s",
			addresses, s.Message())
	case codes.Internal, codes.Unknown:
		return fmt.Errorf("the controller at %s failed at that: %s", addresses, s.Message())
	}
	return errors.New(s.Message())
}

// unreachable picks the cause out of gRPC's own text about a connection that could not be made:
//
//	connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:7070: connect: connection refused"
func unreachable(text string) (cause string, ok bool) {
	text, ok = strings.CutPrefix(text, dialFailed)
	if !ok {
		return "", false
	}
	text = strings.TrimSuffix(text, `"`)
	text = strings.TrimPrefix(text, "transport: ")
	text = strings.TrimPrefix(text, "Error while dialing: ")
	if rest, ok := strings.CutPrefix(text, "dial tcp "); ok { // the address is said already
		if _, cause, ok := strings.Cut(rest, ": "); ok {
			text = cause
		}
	}
	return strings.TrimPrefix(text, "connect: "), true
}

const dialFailed = `connection error: desc = "`

// plainly is a text in which somebody else quotes gRPC, without the ways of gRPC.
func plainly(text string) string {
	before, rest, found := strings.Cut(text, dialFailed)
	if !found {
		return text
	}
	cause, _ := unreachable(dialFailed + rest)
	return before + cause
}

package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listening says what to do about an address that one cannot listen on.
func listening(err error) error {
	var refused *net.OpError
	if !errors.As(err, &refused) || refused.Op != "listen" || refused.Addr == nil {
		return err
	}
	advice := "choose another address with --listen"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "something serves there already, perhaps another Iris: ask it with `iris worker list`, or choose another address " +
			"with --listen, such as 127.0.0.1:0 for a free port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "that is not an address of this machine; choose another one with --listen"
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 are for root; choose another one with --listen"
	}
	cause := refused.Err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return fmt.Errorf("cannot listen on %v: %w; %s", refused.Addr, cause, advice)
}

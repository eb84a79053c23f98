package main

import (
	"errors"
	"fmt"
	"syscall"
)

// listening says what to do about an address that one cannot listen on.
func listening(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w. Something serves there already, perhaps another Iris (`iris worker list` asks it); "+
			"choose another address with --listen, such as 127.0.0.1:0 for a free port", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w. That is not an address of this machine; choose another one with --listen", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w. Ports below 1024 are for root; choose another one with --listen", err)
	}
	return err
}

package keeper

import (
	"errors"
	"syscall"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// ErrLost is what an attempt ends with that is gone for no doing of its own or its worker's: with its keeper, for want of
// a worker, or because there is no keeper to start it. Its text goes on to say which.
var ErrLost = errors.New("lost")

// lostError is an ErrLost.
type lostError string

func (e lostError) Error() string        { return string(e) }
func (e lostError) Is(target error) bool { return target == ErrLost }

// ErrReplaced is what everything ends with, for this process alone, once another one has taken over its keeper.
var ErrReplaced = errors.New("another worker process has taken over the keeper of this one")

// exit is a runtime.Exit as it is kept.
type exit struct {
	Code   int    `json:"code"`
	Signal int    `json:"signal,omitempty"`
	Error  string `json:"error,omitempty"`
}

func exitOf(e runtime.Exit) exit {
	kept := exit{Code: e.Code, Signal: int(e.Signal)}
	if e.Err != nil {
		kept.Error = e.Err.Error()
	}
	return kept
}

func (e exit) proto() *pb.KeptExit {
	return &pb.KeptExit{Code: int32(e.Code), Signal: int32(e.Signal), Error: e.Error}
}

func fromProto(e *pb.KeptExit) runtime.Exit {
	out := runtime.Exit{Code: int(e.GetCode()), Signal: syscall.Signal(e.GetSignal())}
	if e.GetError() != "" {
		out.Err = errors.New(e.Error)
	}
	return out
}

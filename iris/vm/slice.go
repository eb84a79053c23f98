package vm

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Slice is the atomic unit of scaling. All methods are safe for concurrent use; only Terminate and Logs may do I/O.
type Slice interface {
	// ID names the slice. It is unique on the platform and is never used again.
	ID() string
	// Group is the name of the scale group that the slice belongs to.
	Group() string
	// Zone is where it is, one of the group's.
	Zone() string
	// Labels are those the slice was created with: how a restarted controller recognises its own.
	Labels() map[string]string
	// CreatedAt is when the platform accepted the creation.
	CreatedAt() time.Time
	// Status is a snapshot of what was last seen of the VMs. The caller owns it.
	Status() SliceStatus
	// Terminate gives the slice back. When it returns nil, every VM is terminal: TERMINATED, except those that
	// were FAILED or PREEMPTED before. It is idempotent: terminating a slice that is gone returns nil. After an error
	// the slice may still exist and cost money: call it again. An ended ctx is such an error.
	Terminate(ctx context.Context) error
	// Logs are the last lines, at most n, of what one of its VMs said while it booted and came up, for people. The error is
	// that the slice has no such VM, that nothing is kept of it, or ctx's.
	Logs(ctx context.Context, vmID string, n int) ([]string, error)
}

// VM is a snapshot of one machine of a slice.
type VM struct {
	ID        string
	State     State
	Address   string    // host name or IP address; empty until the machine has booted
	WorkerID  string    // the worker that runs on it, or will; empty until the machine has booted
	InitPhase string    // what INITIALIZING is busy with, such as "registration"; else empty
	InitError string    // why it is FAILED; for people
	ChangedAt time.Time // when it entered State
	LeavesAt  time.Time // when the platform will take it away, if it gave notice (STOPPING); else zero
}

// SliceStatus is a snapshot of a slice: its VMs in a fixed order. Of an empty slice nothing is true.
type SliceStatus struct {
	VMs []VM
}

// AllReady says that the whole slice can take work. It is false for a slice without VMs.
func (s SliceStatus) AllReady() bool {
	return len(s.VMs) > 0 && s.ReadyCount() == len(s.VMs)
}

// AnyFailed says that a VM is FAILED or PREEMPTED: the slice will never be whole again and is to be terminated.
func (s SliceStatus) AnyFailed() bool {
	return slices.ContainsFunc(s.VMs, VM.failed)
}

// Terminal says that every VM is gone, so the slice costs nothing any more. It is false for a slice without VMs.
func (s SliceStatus) Terminal() bool {
	return len(s.VMs) > 0 && !slices.ContainsFunc(s.VMs, func(v VM) bool { return !v.State.Terminal() })
}

// ReadyCount is the number of READY VMs.
func (s SliceStatus) ReadyCount() int {
	n := 0
	for _, v := range s.VMs {
		if v.State == Ready {
			n++
		}
	}
	return n
}

// Errors has one line for each FAILED or PREEMPTED VM, in their order; it is empty exactly if AnyFailed is false.
func (s SliceStatus) Errors() []string {
	var lines []string
	for _, v := range s.VMs {
		switch {
		case v.failed() && v.InitError != "":
			lines = append(lines, fmt.Sprintf("%s is %s: %s", v.ID, v.State, v.InitError))
		case v.failed():
			lines = append(lines, fmt.Sprintf("%s is %s", v.ID, v.State))
		}
	}
	return lines
}

func (v VM) failed() bool {
	return v.State == Failed || v.State == Preempted
}

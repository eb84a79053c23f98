package state

import (
	"time"

	"iris/iris/vm"
)

// Slice is a slice of a scale group, from the request on until it is gone.
type Slice struct {
	ID, Group, Zone string
	// State follows from what the platform shows of the VMs and from which of the workers are live. REQUESTING: the platform
	// has not answered. BOOTING, INITIALIZING: as the last of its VMs. READY: all its workers are live. UNHEALTHY: they were,
	// and one is not now, or the platform gave notice. FAILED, PREEMPTED: one of its VMs is; it will never be whole again.
	// STOPPING: it is being given back.
	State vm.State
	// Since is when it entered State.
	Since time.Time
	// Requested is when it was asked for, or adopted.
	Requested time.Time
	// ReadyAt is when it was first READY; zero: it never was.
	ReadyAt time.Time
	// IdleSince is since when its workers have had no attempt, not even one that is stopping (FM-64). Zero while they have.
	IdleSince time.Time
	// VMs are as the platform showed them last. None while REQUESTING.
	VMs []vm.VM
	// Reason is why it was asked for; Cause why it failed or is given back.
	Reason, Cause string
	// Leaving: nothing new is placed on it.
	Leaving bool

	held int // unreleased attempts of its workers
}

// StopWhy is why a slice is given back.
type StopWhy uint8

// The reasons. Of a failure the group may have to back off.
const (
	StopIdle      StopWhy = iota + 1 // it is not needed
	StopSurplus                      // there are more than the group may have
	StopFailed                       // it did not come up, or one of its machines failed
	StopUnhealthy                    // it lacked a worker for too long
	StopPreempted                    // the platform took it away
	StopOrphan                       // it should be gone, or nobody asked for it
)

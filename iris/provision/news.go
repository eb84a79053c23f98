package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/vm"
)

// News is what a platform said: Created, Refused, Terminated or Listed.
type News interface{ news() }

// Created says that the platform has accepted a creation. The VMs then boot in their own time.
type Created struct {
	Order Order
	Slice Sight
}

// Refused says why a creation failed. Cause is for people.
type Refused struct {
	Order Order
	Why   Refusal
	Cause string
}

// Terminated says that a slice is gone for good.
type Terminated struct {
	Order Order
}

// Listed is every live slice of a group, oldest first, whoever created it, and then those that have ended and were known,
// for a minute: all their VMs are terminal, and say why. It may be out of date: a slice that was created after it
// Began may be missing, and one that was terminated since may be there.
type Listed struct {
	Group  string
	Began  time.Time // when the platform was asked
	Slices []Sight
}

func (Created) news()    {}
func (Refused) news()    {}
func (Terminated) news() {}
func (Listed) news()     {}

// Sight is one slice as its platform shows it. Who gets it owns it.
type Sight struct {
	ID, Zone  string
	CreatedAt time.Time         // when the platform accepted the creation
	Labels    map[string]string // see [ClusterLabel] and [GroupLabel]
	VMs       []vm.VM
}

func sight(s vm.Slice) Sight {
	return Sight{ID: s.ID(), Zone: s.Zone(), CreatedAt: s.CreatedAt(), Labels: maps.Clone(s.Labels()), VMs: s.Status().VMs}
}

// Refusal classifies why a creation failed.
type Refusal int

// The refusals. After Unknown the slice may exist; after any other this order has made none.
const (
	Failed  Refusal = iota + 1 // the platform failed, or the group has none: back off, then order again
	Quota                      // the platform has no room for this account: wait for quota
	Stock                      // the zone has no such machines now: try another
	Full                       // the group has all the slices it may have
	Gone                       // there was a slice of this id; it is never used again
	Unknown                    // the deadline passed, or the creation was cut short: nobody knows whether the slice exists
)

var refusalNames = [...]string{Failed: "FAILED", Quota: "QUOTA", Stock: "STOCK", Full: "FULL", Gone: "GONE", Unknown: "UNKNOWN"}

// String is the name in capitals, or Refusal(n) for a number that names none.
func (r Refusal) String() string {
	if r < Failed || int(r) >= len(refusalNames) {
		return fmt.Sprintf("Refusal(%d)", int(r))
	}
	return refusalNames[r]
}

// refusal classifies the error of a creation that was asked for with ctx. The words of the contract decide, then the
// gRPC code: chaos rules from outside know no other.
func refusal(ctx context.Context, err error) Refusal {
	switch {
	case errors.Is(err, vm.ErrSliceGone):
		return Gone
	case errors.Is(err, vm.ErrMaxSlices):
		return Full
	case errors.Is(err, vm.ErrQuotaExceeded):
		return Quota
	case errors.Is(err, vm.ErrStockout):
		return Stock
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return Unknown
	}
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Canceled:
		return Unknown
	case codes.ResourceExhausted:
		return Quota
	}
	if ctx.Err() != nil && !errors.Is(err, vm.ErrCreateFailed) {
		return Unknown // whatever the platform calls it, it is most likely that the call was cut short
	}
	return Failed
}

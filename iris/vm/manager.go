package vm

import (
	"context"
	"errors"
	"fmt"

	"iris/chaos"
)

// Why a slice was not created. Test with [errors.Is]; the message around them names the group and the zone and says
// what to do. Any other error is a failure of the platform too, to be treated like ErrCreateFailed.
var (
	// ErrQuotaExceeded: the platform has no room for this account. Wait for quota; it is no fault of the group.
	ErrQuotaExceeded = errors.New("quota exceeded")
	// ErrMaxSlices: the group already has MaxSlices live slices. Nothing was asked of the platform.
	ErrMaxSlices = errors.New("max_slices reached")
	// ErrCreateFailed: the platform refused for another reason. Back off, then try again.
	ErrCreateFailed = errors.New("slice creation failed")
)

// Manager makes the slices of one scale group on one platform. It is safe for concurrent use.
type Manager interface {
	// CreateSlice asks for one slice and returns as soon as the platform has accepted it; the VMs then boot in their own
	// time. The labels are copied and may be nil. The error is ErrQuotaExceeded, ErrMaxSlices, ErrCreateFailed or
	// ctx's, wrapped; with an error there is no slice. Production code calls [Create] instead.
	CreateSlice(ctx context.Context, labels map[string]string) (Slice, error)
	// ListSlices is every live slice of the group, oldest first, whoever created it: what a restarted controller
	// adopts and what its own list is checked against. An error means that nothing is known, not that there is none.
	ListSlices(ctx context.Context) ([]Slice, error)
}

var createSite = chaos.NewSite("vm.create",
	"before a slice is created; firing makes the creation fail", chaos.CanAll, "group").Carrying()

// Create makes one slice. It is the one way production code does so, and passes the chaos site `vm.create`
// (design §5) with the labels of on, which is not nil and names "group" (and "cluster"). Firing makes the creation
// fail before m is asked. Errors are those of [Manager.CreateSlice], the injected one, or ctx's if it ends meanwhile.
func Create(ctx context.Context, m Manager, on chaos.Labeler, labels map[string]string) (Slice, error) {
	if err := createSite.Hit(ctx, on); err != nil {
		return nil, fmt.Errorf("create a slice of %s: %w", on.ChaosLabels()["group"], err)
	}
	return m.CreateSlice(ctx, labels)
}

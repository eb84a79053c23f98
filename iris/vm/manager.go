package vm

import (
	"context"
	"errors"
	"time"
)

// Why a slice was not created. Test with [errors.Is]; the message around them names the group and the zone and says
// what to do. Any other error is a failure of the platform too, to be treated like ErrCreateFailed.
var (
	// ErrQuotaExceeded: the platform has no room for this account in the zone. Wait for quota; it is no fault of the group.
	ErrQuotaExceeded = errors.New("quota exceeded")
	// ErrStockout: the zone has no machines of this kind now. Try another zone, or wait; it is no fault of the group.
	ErrStockout = errors.New("no machines in stock")
	// ErrMaxSlices: the group already has MaxSlices live slices. Nothing was asked of the platform.
	ErrMaxSlices = errors.New("max_slices reached")
	// ErrSliceGone: there was a slice of this id. Ids are never used twice.
	ErrSliceGone = errors.New("slice is gone")
	// ErrCreateFailed: the platform refused for another reason. Back off, then try again.
	ErrCreateFailed = errors.New("slice creation failed")
)

// Request says what slice to create. The zero value is one that the platform names, where the group is at home.
type Request struct {
	// ID names the slice. A request that is repeated with the id of a slice that is live gets that slice, so that a creation
	// whose answer was lost can be asked for again (FM-71). Empty: the manager picks one.
	ID string
	// Zone is one of the group's. Empty: the first.
	Zone string
	// Labels are kept with the slice. They are copied, and may be nil.
	Labels map[string]string
}

// ListLag is by how much a platform's list may be out of date: what it lacks or shows for longer is gone, or there (FM-66).
const ListLag = time.Minute

// Manager makes the slices of one scale group on one platform. It is safe for concurrent use.
type Manager interface {
	// CreateSlice asks for one slice and returns as soon as the platform has accepted it; the VMs then boot in their own
	// time. The error is ErrQuotaExceeded, ErrStockout, ErrMaxSlices, ErrSliceGone, ErrCreateFailed or ctx's, wrapped. After
	// ctx's nobody knows whether there is a slice: it may arrive late. With any other error there is none. Production code
	// calls provision.Create instead.
	CreateSlice(ctx context.Context, r Request) (Slice, error)
	// ListSlices is every live slice of the group, oldest first, whoever created it: what a restarted controller
	// adopts and what its own list is checked against. An error means that nothing is known, not that there is none. What a
	// platform lists may be out of date, by up to ListLag. Production code calls provision.List instead.
	ListSlices(ctx context.Context) ([]Slice, error)
}

package state

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"iris/iris/vm"
)

// Attributes of workers in slices, besides worker and slice (design §4).
const (
	AttributeZone          = "zone"
	AttributeDeviceType    = "device-type"    // "cpu" or "tpu"
	AttributeDeviceVariant = "device-variant" // of TPUs, such as "v5litepod-16"
	AttributeTPUName       = "tpu-name"       // of TPUs: the slice
	AttributeTPUWorkerID   = "tpu-worker-id"  // of TPUs: the VM's number in its slice, from 0
	AttributeTPUTopology   = "tpu-topology"   // of TPUs: how the slice's chips are laid out, such as "4x4"
)

// Group is what is configured of a scale group: machines of one kind, which come and go in slices.
type Group struct {
	vm.GroupConfig
	// VMs is how many a slice has.
	VMs int
	// Capacity is that of each VM.
	Capacity Resources
	// Attributes are those of each worker, besides the ones that follow from where it runs; see Worker.
	Attributes map[string]string
	// Rank is the order in which groups are asked: lower first, then by name.
	Rank int
	// Pace says how fast things happen.
	Pace Pace
}

// Pace is how fast a group grows and shrinks, and how long what is under way may take.
type Pace struct {
	// ScaleUpCooldown is the least time between two rounds of creations. Default 60 s.
	ScaleUpCooldown time.Duration
	// ScaleDownCooldown is how long after a round of creations no slice is given back for being idle. Default 300 s.
	ScaleDownCooldown time.Duration
	// ScaleDownRate is how many idle slices are given back in a minute; as many at once, if none was for a minute. Default 10.
	ScaleDownRate int
	// IdleThreshold is how long a slice runs nothing before it is idle. Default 300 s.
	IdleThreshold time.Duration
	// BackoffInitial is the pause after a slice failed; it doubles with each further failure up to BackoffMax. Defaults 5 s
	// and 300 s.
	BackoffInitial, BackoffMax time.Duration
	// QuotaTimeout is how long a zone is not asked again that had no quota or no machines. Default 300 s.
	QuotaTimeout time.Duration
	// RequestingTimeout is how long the platform may take to answer a request. Default 120 s.
	RequestingTimeout time.Duration
	// BootTimeout is how long a slice may take from its creation until all its machines run. Default 300 s.
	BootTimeout time.Duration
	// InitTimeout is how long all workers may take from there until they have registered. Default 600 s.
	InitTimeout time.Duration
	// UnhealthyTimeout is how long a slice that was READY may lack a worker. Default 300 s.
	UnhealthyTimeout time.Duration
	// ShortLived: a slice that fails sooner than this after it was READY counts as a failure of its group. Default 300 s.
	ShortLived time.Duration
}

func (g Group) equal(other Group) bool {
	return slices.Equal(g.Zones, other.Zones) && maps.Equal(g.Attributes, other.Attributes) && g.Name == other.Name &&
		g.AcceleratorVariant == other.AcceleratorVariant && g.MinSlices == other.MinSlices && g.MaxSlices == other.MaxSlices &&
		g.BufferSlices == other.BufferSlices && g.VMs == other.VMs && g.Capacity == other.Capacity && g.Rank == other.Rank &&
		g.Pace == other.Pace
}

// Worker is the attributes of the worker on one VM of a slice, without the worker's own id.
func (g *Group) Worker(slice, zone string, vm int) map[string]string {
	all := map[string]string{AttributeDeviceType: "cpu"}
	if g.AcceleratorVariant != "" {
		all[AttributeDeviceType] = "tpu"
		all[AttributeDeviceVariant] = g.AcceleratorVariant
		all[AttributeTPUName] = slice
		all[AttributeTPUWorkerID] = strconv.Itoa(vm)
		if topology := g.Topology(); topology != "" {
			all[AttributeTPUTopology] = topology
		}
	}
	maps.Copy(all, g.Attributes)
	all[AttributeSlice], all[AttributeZone] = slice, zone
	return all
}

// ScaleGroup is a group and how it fares.
type ScaleGroup struct {
	Group
	// Failures counts the slices that failed one after the other, BackoffUntil is until when none is asked for because of
	// them, and Failure why the last one did.
	Failures     int
	BackoffUntil time.Time
	Failure      string
	FailedAt     time.Time
	// Blocked are the zones that are not asked, by name.
	Blocked map[string]Block
	// LastUp is when slices were last asked for, LastDown when one was last given back for being idle.
	LastUp, LastDown time.Time
	// NextDown is when the next one may be, as far as ScaleDownRate goes.
	NextDown time.Time
	// Made counts the slices ever asked for: the number in the id of the next one.
	Made int64
	// Removed: it is not configured any more. Its slices go, and nothing is left but the number of the next one: no id is used
	// twice.
	Removed bool

	slices int // how many it has, those included that are being given back: they still cost
}

// Block is why a zone is not asked.
type Block struct {
	Until time.Time
	Cause string // "quota exceeded …"
}

// Zone is the first zone that may be asked now; false if there is none.
func (g *ScaleGroup) Zone(now time.Time) (string, bool) {
	i := slices.IndexFunc(g.Zones, func(zone string) bool { return !g.Blocked[zone].Until.After(now) })
	if i < 0 {
		return "", false
	}
	return g.Zones[i], true
}

package vm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// GroupConfig describes a scale group: alike slices of which there may be MinSlices to MaxSlices.
type GroupConfig struct {
	Name               string   // unique; becomes part of slice and VM ids: letters, digits, '-', '_', '.'
	AcceleratorVariant string   // such as "v4-8"; empty means CPU
	MinSlices          int      // kept even when idle; default 0
	MaxSlices          int      // at least 1
	BufferSlices       int      // READY and idle ones kept for what may come, within MaxSlices; default 0
	Zones              []string // at least one; slices are created in the first
	VMsPerSlice        int      // overrides the number of VMs that follows from the variant; 0 means it follows
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Validate reports every mistake at once, joined, each on its own line with the group, the field and what it must be.
func (g GroupConfig) Validate() error {
	var mistakes []error
	mistake := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("scale group %q: "+format, append([]any{g.Name}, args...)...))
	}
	if !validName.MatchString(g.Name) {
		mistake("name must begin with a letter or digit, then letters, digits, '-', '_' or '.'")
	}
	if g.MinSlices < 0 {
		mistake("min_slices is %d; it must not be negative", g.MinSlices)
	}
	if g.MaxSlices < 1 {
		mistake("max_slices is %d; it must be at least 1 (remove the group to turn it off)", g.MaxSlices)
	}
	if g.MinSlices > g.MaxSlices {
		mistake("min_slices is %d, above max_slices %d; lower the one or raise the other", g.MinSlices, g.MaxSlices)
	}
	if g.BufferSlices < 0 {
		mistake("buffer_slices is %d; it must not be negative", g.BufferSlices)
	}
	if len(g.Zones) == 0 {
		mistake("zones is empty; name at least one, such as us-central1-a")
	}
	for i, zone := range g.Zones {
		switch {
		case zone == "":
			mistake("zones[%d] is empty; name a zone or remove it", i)
		case slices.Index(g.Zones, zone) < i:
			mistake("zones[%d] repeats %q; remove it", i, zone)
		}
	}
	if _, err := g.VMCount(); err != nil {
		mistake("%w", err)
	}
	return errors.Join(mistakes...)
}

// Topology is how the chips of a slice are laid out, such as "4x4"; empty for CPU and unknown variants.
func (g GroupConfig) Topology() string { return topology(g.AcceleratorVariant) }

// VMCount is the number of VMs in one slice of the group: VMsPerSlice if set, 1 for CPU, else what the TPU variant
// has. The error says how to correct the config; Validate reports it too.
func (g GroupConfig) VMCount() (int, error) {
	switch {
	case g.VMsPerSlice < 0:
		return 0, fmt.Errorf("vms_per_slice is %d; it must be positive, or 0 to follow from the variant", g.VMsPerSlice)
	case g.VMsPerSlice > 0:
		return g.VMsPerSlice, nil
	case g.AcceleratorVariant == "":
		return 1, nil
	}
	n, err := VMCount(g.AcceleratorVariant)
	if err != nil {
		return 0, fmt.Errorf("accelerator_variant: %w; correct it or set vms_per_slice", err)
	}
	return n, nil
}

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

// Mistake is what is wrong with one field of a GroupConfig.
type Mistake struct {
	Field string // in the words of a cluster file: "max_slices", "zones[1]", "accelerator_variant"
	Text  string // begins with the field: "max_slices is 0; it must be at least 1"
}

// Validate reports every mistake at once, joined, each on its own line with the group, the field and what it must be.
func (g GroupConfig) Validate() error {
	var errs []error
	for _, m := range g.Mistakes() {
		errs = append(errs, fmt.Errorf("scale group %q: %s", g.Name, m.Text))
	}
	return errors.Join(errs...)
}

// Mistakes is every mistake, for those who know where each field was written.
func (g GroupConfig) Mistakes() []Mistake {
	var wrong []Mistake
	mistake := func(field, format string, args ...any) {
		wrong = append(wrong, Mistake{field, field + fmt.Sprintf(format, args...)})
	}
	if !validName.MatchString(g.Name) {
		mistake("name", " must begin with a letter or digit, then letters, digits, '-', '_' or '.'")
	}
	if g.MinSlices < 0 {
		mistake("min_slices", " is %d; it must not be negative", g.MinSlices)
	}
	if g.MaxSlices < 1 {
		mistake("max_slices", " is %d; it must be at least 1", g.MaxSlices)
	}
	if g.MinSlices > g.MaxSlices {
		mistake("min_slices", " is %d, above max_slices %d; lower the one or raise the other", g.MinSlices, g.MaxSlices)
	}
	switch {
	case g.BufferSlices < 0:
		mistake("buffer_slices", " is %d; it must not be negative", g.BufferSlices)
	case g.BufferSlices > max(g.MaxSlices, 0):
		mistake("buffer_slices", " is %d, above max_slices %d; lower the one or raise the other", g.BufferSlices, g.MaxSlices)
	}
	if len(g.Zones) == 0 {
		mistake("zones", " is empty; name at least one, such as us-central1-a")
	}
	for i, zone := range g.Zones {
		switch field := fmt.Sprintf("zones[%d]", i); {
		case zone == "":
			mistake(field, " is empty; name a zone or remove it")
		case slices.Index(g.Zones, zone) < i:
			mistake(field, " repeats %q; remove it", zone)
		}
	}
	if _, err := g.VMCount(); err != nil {
		field := "accelerator_variant"
		if g.VMsPerSlice < 0 {
			field = "vms_per_slice"
		}
		wrong = append(wrong, Mistake{field, err.Error()})
	}
	return wrong
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

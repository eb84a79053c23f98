package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"iris/iris/state"
)

// Bounds of a group. They catch slips of the hand, and keep products of what they bound far from what a number can hold.
const (
	minCPU         = 0.001
	maxCPU         = 100_000
	maxMemory      = 1 << 50
	maxSlices      = 100_000
	maxVMsPerSlice = 10_000
)

// checkGroup finds what is wrong with a group whatever its platform.
func (r *review) checkGroup(g Group) {
	for _, m := range g.VM().Mistakes() {
		const contract = "accelerator_" // what the contract writes before variant, and the file does not
		r.wrong = append(r.wrong, mistake{
			at: r.part + strings.TrimPrefix(m.Field, contract), text: r.about + strings.TrimPrefix(m.Text, contract),
		})
	}
	if g.MaxSlices > maxSlices {
		r.fail("max_slices", "is %d; it must be at most %d", g.MaxSlices, maxSlices)
	}
	if g.VMsPerSlice > maxVMsPerSlice {
		r.fail("vms_per_slice", "is %d; it must be at most %d", g.VMsPerSlice, maxVMsPerSlice)
	}
	if !(g.CPU >= minCPU && g.CPU <= maxCPU) { // also NaN
		r.fail("cpu", "is %v; it must be %v to %d cores", g.CPU, minCPU, maxCPU)
	}
	if g.Memory <= 0 || g.Memory > maxMemory {
		r.fail("memory", "is %d bytes; it must be positive, and at most %s", g.Memory, humanize.IBytes(maxMemory))
	}
	if g.Priority < 0 {
		r.fail("priority", "is %d; it must be at least 1 (default %d)", g.Priority, defaultPriority)
	}
	r.duration("boot_delay", g.BootDelay)
	r.duration("init_delay", g.InitDelay)
	r.checkPace("pace", g.Pace)
	r.checkAttributes(g)
}

// checkAttributes finds attributes that Iris would overwrite, or that would hide what it says of the machines.
func (r *review) checkAttributes(g Group) {
	for _, name := range slices.Sorted(maps.Keys(g.Attributes)) {
		always := name == state.AttributeWorker || name == state.AttributeSlice
		scaled := name == state.AttributeZone || strings.HasPrefix(name, "device-") || strings.HasPrefix(name, "tpu-")
		switch {
		case name == "":
			r.fail("attributes", "has one without a name; name it or remove it")
		case always, scaled && g.Scales():
			r.fail("attributes."+name, "is an attribute that Iris sets itself; remove it")
		}
	}
}

// checkPlatform finds what does not go with the group's platform.
func (r *review) checkPlatform(g Group) {
	switch g.Platform {
	case "", Fixed:
		r.checkFixed(g)
	case Local, OverSSH:
	default:
		r.fail("platform", "is %q; it must be %s (machines that are there from the start), %s or %s", g.Platform, Fixed, Local, OverSSH)
		return // what goes with it nobody knows
	}
	if g.Platform == OverSSH {
		r.checkSSH(g)
	} else if g.SSH != nil {
		r.fail("ssh", "is for platform ssh; remove it, or say platform: ssh")
	}
	if g.Platform == OverSSH && g.BootDelay != 0 {
		r.fail("boot_delay", "is for platform local; remove it: hosts take the time that they take")
	}
	if g.Platform == OverSSH && g.InitDelay != 0 {
		r.fail("init_delay", "is for platform local; remove it: hosts take the time that they take")
	}
}

// checkFixed finds what only groups that scale have.
func (r *review) checkFixed(g Group) {
	if g.MinSlices >= 0 && g.MinSlices < g.MaxSlices {
		r.fail("min_slices", "is %d, below max_slices %d, but a group of platform fixed does not grow; make them equal, or say "+
			"platform: local or platform: ssh", g.MinSlices, g.MaxSlices)
	}
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"buffer_slices", g.BufferSlices != 0},
		{"closed", g.Closed},
		{"priority", g.Priority != 0},
		{"after", len(g.After) > 0},
		{"pace", g.Pace != Pace{}},
		{"boot_delay", g.BootDelay != 0},
		{"init_delay", g.InitDelay != 0},
		{"worker_flags", len(g.WorkerFlags) > 0},
	} {
		if k.given {
			r.fail(k.key, "is for groups that grow and shrink, which one of platform fixed does not; remove it, or say "+
				"platform: local or platform: ssh")
		}
	}
}

// checkOthers finds what does not go with the other groups.
func (r *review) checkOthers(i int, groups []Group) {
	g := groups[i]
	named := func(name string) int {
		return slices.IndexFunc(groups, func(o Group) bool { return o.Name == name })
	}
	if first := named(g.Name); first < i {
		r.fail("name", "is that of groups[%d] too; change one of them", first)
	}
	for k, name := range g.After {
		key := fmt.Sprintf("after[%d]", k)
		switch other := named(name); {
		case name == g.Name:
			r.fail(key, "is the group itself; remove it")
		case slices.Index(g.After, name) < k:
			r.fail(key, "repeats %q; remove it", name)
		case other < 0:
			r.fail(key, "is %q, which no group is called; known are %s", name, strings.Join(names(groups), ", "))
		case !groups[other].Scales():
			r.fail(key, "is %q, whose machines are fixed: it is never asked; remove it", name)
		}
	}
}

func names(groups []Group) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g.Name)
	}
	return all
}

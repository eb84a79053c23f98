package vm

import (
	"fmt"
	"strconv"
	"strings"
)

// tpuFamily is the variants of one TPU generation: name-size for each of the sizes. The size counts TensorCores for v4
// and v5p (two to a chip, four chips to a VM) and chips for v5litepod and v6e.
type tpuFamily struct {
	name  string
	perVM int // share of the size that one VM of a slice of several has
	oneVM int // sizes up to this are a single VM
	sizes []tpuSize
}

// tpuSize is a size and how its chips are laid out.
type tpuSize struct {
	size     int
	topology string
}

// tpuFamilies follows "Supported configurations" of the Cloud TPU documentation for each generation.
var tpuFamilies = []tpuFamily{
	{name: "v4", perVM: 8, oneVM: 8, sizes: cubes[:10]},
	{name: "v5litepod", perVM: 4, oneVM: 8, sizes: squares},
	{name: "v5p", perVM: 8, oneVM: 8, sizes: cubes},
	{name: "v6e", perVM: 4, oneVM: 8, sizes: squares},
}

var cubes = []tpuSize{
	{8, "2x2x1"}, {16, "2x2x2"}, {32, "2x2x4"}, {64, "2x4x4"}, {128, "4x4x4"}, {256, "4x4x8"}, {512, "4x8x8"},
	{1024, "8x8x8"}, {2048, "8x8x16"}, {4096, "8x16x16"}, {8192, "16x16x16"}, {12288, "16x16x24"},
}

var squares = []tpuSize{
	{1, "1x1"}, {4, "2x2"}, {8, "2x4"}, {16, "4x4"}, {32, "4x8"}, {64, "8x8"}, {128, "8x16"}, {256, "16x16"},
}

// findTPU is the family and the size of a variant; false if there is no such variant.
func findTPU(variant string) (tpuFamily, tpuSize, bool) {
	for _, f := range tpuFamilies {
		rest, ok := strings.CutPrefix(variant, f.name)
		size, dashed := strings.CutPrefix(rest, "-")
		if !ok || !dashed {
			continue
		}
		for _, s := range f.sizes {
			if size == strconv.Itoa(s.size) {
				return f, s, true
			}
		}
	}
	return tpuFamily{}, tpuSize{}, false
}

// VMCount is the number of VMs in a slice of a TPU variant: 1 for "v4-8", 4 for "v5litepod-16". The error for an
// unknown variant lists the known ones.
func VMCount(variant string) (int, error) {
	f, s, known := findTPU(variant)
	switch {
	case !known:
		return 0, fmt.Errorf("unknown TPU variant %q; known are %s", variant, knownVariants())
	case s.size <= f.oneVM:
		return 1, nil
	}
	return s.size / f.perVM, nil
}

// topology is how the chips of a slice of a variant are laid out: "4x4" for "v5litepod-16", "2x2x1" for "v4-8". Empty for
// an unknown variant.
func topology(variant string) string {
	_, s, _ := findTPU(variant)
	return s.topology
}

// knownVariants is such as "v4-{8,16,32}, v6e-{1,4,8}".
func knownVariants() string {
	var families []string
	for _, f := range tpuFamilies {
		var sizes []string
		for _, s := range f.sizes {
			sizes = append(sizes, strconv.Itoa(s.size))
		}
		families = append(families, f.name+"-{"+strings.Join(sizes, ",")+"}")
	}
	return strings.Join(families, ", ")
}

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
	sizes []int
}

// tpuFamilies follows "Supported configurations" of the Cloud TPU documentation for each generation.
var tpuFamilies = []tpuFamily{
	{name: "v4", perVM: 8, oneVM: 8, sizes: []int{8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}},
	{name: "v5litepod", perVM: 4, oneVM: 8, sizes: []int{1, 4, 8, 16, 32, 64, 128, 256}},
	{name: "v5p", perVM: 8, oneVM: 8, sizes: []int{8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 12288}},
	{name: "v6e", perVM: 4, oneVM: 8, sizes: []int{1, 4, 8, 16, 32, 64, 128, 256}},
}

// VMCount is the number of VMs in a slice of a TPU variant: 1 for "v4-8", 4 for "v5litepod-16". The error for an
// unknown variant lists the known ones.
func VMCount(variant string) (int, error) {
	for _, f := range tpuFamilies {
		for _, size := range f.sizes {
			if variant != fmt.Sprintf("%s-%d", f.name, size) {
				continue
			}
			if size <= f.oneVM {
				return 1, nil
			}
			return size / f.perVM, nil
		}
	}
	return 0, fmt.Errorf("unknown TPU variant %q; known are %s", variant, knownVariants())
}

// knownVariants is such as "v4-{8,16,32}, v6e-{1,4,8}".
func knownVariants() string {
	var families []string
	for _, f := range tpuFamilies {
		var sizes []string
		for _, size := range f.sizes {
			sizes = append(sizes, strconv.Itoa(size))
		}
		families = append(families, f.name+"-{"+strings.Join(sizes, ",")+"}")
	}
	return strings.Join(families, ", ")
}

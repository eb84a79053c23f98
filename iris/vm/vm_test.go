package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iris/iris/vm"
)

func TestStatesKeepTheirNumbersNamesAndEnds(t *testing.T) {
	type row struct {
		Number   int
		Name     string
		Terminal bool
	}
	want := []row{
		{0, "UNSPECIFIED", false},
		{1, "BOOTING", false},
		{2, "INITIALIZING", false},
		{3, "READY", false},
		{4, "UNHEALTHY", false},
		{5, "STOPPING", false},
		{6, "TERMINATED", true},
		{7, "FAILED", true},
		{8, "PREEMPTED", true},
		{9, "REQUESTING", false},
	}
	states := []vm.State{
		vm.Unspecified, vm.Booting, vm.Initializing, vm.Ready, vm.Unhealthy,
		vm.Stopping, vm.Terminated, vm.Failed, vm.Preempted, vm.Requesting,
	}
	var got []row
	for _, s := range states {
		got = append(got, row{int(s), s.String(), s.Terminal()})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnknownStateShowsItsNumber(t *testing.T) {
	for _, n := range []int{-1, 10} {
		if got, want := vm.State(n).String(), fmt.Sprintf("State(%d)", n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSliceStatusSumsUpItsVMs(t *testing.T) {
	type summary struct {
		AllReady, AnyFailed, Terminal bool
		Ready                         int
		Errors                        []string
	}
	for name, c := range map[string]struct {
		vms  []vm.VM
		want summary
	}{
		"no VMs": {nil, summary{}},
		"all ready": {
			[]vm.VM{{State: vm.Ready}, {State: vm.Ready}},
			summary{AllReady: true, Ready: 2},
		},
		"one still initializing": {
			[]vm.VM{{State: vm.Ready}, {State: vm.Initializing}},
			summary{Ready: 1},
		},
		"one failed, one lost": {
			[]vm.VM{
				{State: vm.Ready},
				{ID: "b", State: vm.Failed, InitError: "docker pull: 403"},
				{ID: "c", State: vm.Preempted},
			},
			summary{AnyFailed: true, Ready: 1, Errors: []string{"b is FAILED: docker pull: 403", "c is PREEMPTED"}},
		},
		"terminated": {
			[]vm.VM{{State: vm.Terminated}, {State: vm.Terminated}},
			summary{Terminal: true},
		},
		"terminated but for one": {
			[]vm.VM{{State: vm.Terminated}, {State: vm.Stopping}},
			summary{},
		},
		"gone in three ways": {
			[]vm.VM{{State: vm.Terminated}, {ID: "b", State: vm.Failed}, {ID: "c", State: vm.Preempted}},
			summary{AnyFailed: true, Terminal: true, Errors: []string{"b is FAILED", "c is PREEMPTED"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := vm.SliceStatus{VMs: c.vms}
			got := summary{s.AllReady(), s.AnyFailed(), s.Terminal(), s.ReadyCount(), s.Errors()}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVMCountFollowsFromTheVariant(t *testing.T) {
	for variant, want := range map[string]int{
		"v4-8": 1, "v4-16": 2, "v4-32": 4, "v4-64": 8, "v4-4096": 512,
		"v5litepod-1": 1, "v5litepod-4": 1, "v5litepod-8": 1, "v5litepod-16": 4, "v5litepod-256": 64,
		"v5p-8": 1, "v5p-16": 2, "v5p-128": 16, "v5p-12288": 1536,
		"v6e-1": 1, "v6e-4": 1, "v6e-8": 1, "v6e-16": 4, "v6e-256": 64,
	} {
		if got, err := vm.VMCount(variant); got != want || err != nil {
			t.Errorf("VMCount(%q) = %d, %v; want %d", variant, got, err, want)
		}
	}
}

func TestAnUnknownVariantIsAnsweredWithTheKnownOnes(t *testing.T) {
	const known = "known are v4-{8,16,32,64,128,256,512,1024,2048,4096}, v5litepod-{1,4,8,16,32,64,128,256}, " +
		"v5p-{8,16,32,64,128,256,512,1024,2048,4096,8192,12288}, v6e-{1,4,8,16,32,64,128,256}"
	for _, variant := range []string{"", "v4", "v4-", "v4-12", "v4-08", "v4-+8", "V4-8", "h100"} {
		n, err := vm.VMCount(variant)
		if want := fmt.Sprintf("unknown TPU variant %q; %s", variant, known); n != 0 || err == nil || err.Error() != want {
			t.Errorf("VMCount(%q) = %d, %v; want 0, %s", variant, n, err, want)
		}
	}
}

func TestAGroupTakesItsVMCountFromOverrideThenVariant(t *testing.T) {
	for _, c := range []struct {
		group vm.GroupConfig
		want  int
	}{
		{vm.GroupConfig{}, 1},
		{vm.GroupConfig{AcceleratorVariant: "v5litepod-16"}, 4},
		{vm.GroupConfig{AcceleratorVariant: "v5litepod-16", VMsPerSlice: 2}, 2},
		{vm.GroupConfig{AcceleratorVariant: "h100", VMsPerSlice: 8}, 8},
	} {
		if got, err := c.group.VMCount(); got != c.want || err != nil {
			t.Errorf("%+v has %d, %v; want %d", c.group, got, err, c.want)
		}
	}
}

func TestAValidGroupHasNothingToReport(t *testing.T) {
	for _, g := range []vm.GroupConfig{
		{Name: "cpu", MaxSlices: 1, Zones: []string{"local"}},
		{Name: "tpu_v5e.16-a", AcceleratorVariant: "v5litepod-16", MinSlices: 2, MaxSlices: 2, Zones: []string{"a", "b"}},
		{Name: "gpu", AcceleratorVariant: "h100", VMsPerSlice: 1, MaxSlices: 1, Zones: []string{"a"}},
	} {
		if err := g.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestValidateReportsEveryMistakeAtOnce(t *testing.T) {
	broken := vm.GroupConfig{
		Name: "a b", AcceleratorVariant: "v4-9", MinSlices: -1, MaxSlices: -2, BufferSlices: 1,
		Zones: []string{"a", "", "a"},
	}
	err := broken.Validate()
	if err == nil {
		t.Fatal("a broken config is valid")
	}
	_, unknown := vm.VMCount("v4-9")
	want := []string{
		`scale group "a b": name must begin with a letter or digit, then letters, digits, '-', '_' or '.'`,
		`scale group "a b": min_slices is -1; it must not be negative`,
		`scale group "a b": max_slices is -2; it must be at least 1`,
		`scale group "a b": min_slices is -1, above max_slices -2; lower the one or raise the other`,
		`scale group "a b": buffer_slices is 1, above max_slices -2; lower the one or raise the other`,
		`scale group "a b": zones[1] is empty; name a zone or remove it`,
		`scale group "a b": zones[2] repeats "a"; remove it`,
		`scale group "a b": accelerator_variant: ` + unknown.Error() + `; correct it or set vms_per_slice`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestValidateReportsASingleMistakeAlone(t *testing.T) {
	for want, breakIt := range map[string]func(*vm.GroupConfig){
		"name must begin":              func(g *vm.GroupConfig) { g.Name = "" },
		"min_slices is -1; it must":    func(g *vm.GroupConfig) { g.MinSlices = -1 },
		"max_slices is 0; it must":     func(g *vm.GroupConfig) { g.MaxSlices = 0 },
		"min_slices is 4, above":       func(g *vm.GroupConfig) { g.MinSlices = 4 },
		"buffer_slices is -1; it must": func(g *vm.GroupConfig) { g.BufferSlices = -1 },
		"buffer_slices is 4, above":    func(g *vm.GroupConfig) { g.BufferSlices = 4 },
		"zones is empty":               func(g *vm.GroupConfig) { g.Zones = nil },
		"vms_per_slice is -1; it must": func(g *vm.GroupConfig) { g.VMsPerSlice = -1 },
	} {
		g := vm.GroupConfig{Name: "test", AcceleratorVariant: "v4-8", MaxSlices: 3, Zones: []string{"us-central1-a"}}
		breakIt(&g)
		err := g.Validate()
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one line with %q", err, want)
		}
	}
}

// Whoever knows where a field was written finds each mistake by it.
func TestEachMistakeNamesItsField(t *testing.T) {
	broken := vm.GroupConfig{AcceleratorVariant: "v4-9", MinSlices: 2, BufferSlices: 3, MaxSlices: -1, Zones: []string{"a", "", "a"}}
	var fields []string
	for _, m := range broken.Mistakes() {
		fields = append(fields, m.Field)
		if !strings.HasPrefix(m.Text, m.Field) {
			t.Errorf("the text about %s is %q", m.Field, m.Text)
		}
	}
	want := []string{"name", "max_slices", "min_slices", "buffer_slices", "zones[1]", "zones[2]", "accelerator_variant"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	for field, g := range map[string]vm.GroupConfig{
		"zones":         {Name: "a", MaxSlices: 1},
		"vms_per_slice": {Name: "a", MaxSlices: 1, Zones: []string{"z"}, AcceleratorVariant: "v4-9", VMsPerSlice: -1},
	} {
		if all := g.Mistakes(); len(all) != 1 || all[0].Field != field {
			t.Errorf("the mistakes are %+v, want one about %s", all, field)
		}
	}
}

// The layout of a slice has as many chips as its size says, in all dimensions together.
func TestATopologyHasTheChipsOfItsVariant(t *testing.T) {
	for variant, want := range map[string]string{
		"v4-8": "2x2x1", "v4-4096": "8x16x16", "v5p-12288": "16x16x24", "v5litepod-1": "1x1", "v5litepod-16": "4x4", "v6e-256": "16x16",
		"": "", "v4-12288": "", "h100": "",
	} {
		if got := (vm.GroupConfig{AcceleratorVariant: variant}).Topology(); got != want {
			t.Errorf("%s is laid out %q, want %q", variant, got, want)
		}
	}
}

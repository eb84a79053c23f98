package main

import (
	"slices"
	"testing"

	"iris/iris/config"
)

// Workers that come and go have names that nobody knows beforehand.
func TestAClusterInOneProcessHasTheNamesOfItsFixedMachines(t *testing.T) {
	fixed := config.Group{Name: "a", MinSlices: 2, MaxSlices: 2, Zones: []string{"z"}}
	scaled := config.Group{Name: "b", Platform: config.Local, MinSlices: 1, MaxSlices: 4, Zones: []string{"z"}}
	got := processNames(config.Cluster{Groups: []config.Group{scaled, fixed}})
	if want := []string{"c-0", "controller", "w-0", "w-1"}; !slices.Equal(got, want) {
		t.Errorf("it is called %q, want %q", got, want)
	}
}

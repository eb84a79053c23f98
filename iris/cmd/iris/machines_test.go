package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iris/iris/localvm"
)

// A worker outlives the controller that started it: it must know the others, those included that came later.
func TestAWorkerThatAControllerStartsKnowsAllControllers(t *testing.T) {
	m := machines{file: filepath.Join(t.TempDir(), "groups.yaml")}
	const text = "name: c\ngroups: [{name: a, platform: local, cpu: 1, memory: 1GiB, max_slices: 1, zones: [z]}]\n"
	if err := os.WriteFile(m.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.read(); err != nil {
		t.Fatal(err)
	}
	there := []string{"10.0.0.1:7070"}
	scaling, err := m.open(t.TempDir(), "c", func() []string { return there }, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.end(); err != nil {
			t.Error(err)
		}
	}()
	started := func(controllers string) {
		t.Helper()
		args := m.process(m.description.Group("a"), scaling.Groups[0], localvm.Machine{Slice: "a-0", Zone: "z"}).Args
		if want := "--controller=" + controllers; !slices.Contains(args, want) {
			t.Errorf("a worker is started with %q, want %s", strings.Join(args, " "), want)
		}
	}
	started("10.0.0.1:7070")
	there = append(there, "10.0.0.2:7070")
	started("10.0.0.1:7070,10.0.0.2:7070")
}

package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"iris/iris/config"
)

// Whatever a file says, it is refused, each mistake with its line, or read as the library reads it; what was read is valid, and
// has as many ranks as groups that scale.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"demo.yaml", "autoscaled.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(pool)
	for _, text := range []string{
		"", "~", "- a", "name: a\n---\nname: b", "name: &a a\ngroups: &g [*g]", "groups: [&g {<<: *g}]", "name: !!str 5", "? [a]\n: b",
		"name: a\nname: b", "name: |\n  a\n", "name: 'a'\nworker: {poll_interval: 1e3}", "controller: {dispatch_rounds: 0x10}",
		"name: c\nworker: {<<: {poll_interval: 5s}}", "name: *a", "name: c\ngroups:\n- {}\n-\n- ~",
		"name: c\ngroups: [{ssh: {hosts: [{}]}}]",
	} {
		f.Add(text)
	}
	line := regexp.MustCompile(`^c\.yaml:[1-9][0-9]*: .`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := config.Parse("c.yaml", []byte(text))
		if err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !line.MatchString(first) && !strings.HasPrefix(first, "c.yaml: ") {
				t.Errorf("the error has no place: %v", err)
			}
			return
		}
		if err := got.Validate(); err != nil {
			t.Errorf("it was read and is not valid: %v", err)
		}
		scales := 0
		for _, g := range got.Groups {
			if g.Scales() {
				scales++
			}
		}
		if n := len(got.ScaleGroups()); n != scales {
			t.Errorf("%d of %d groups have a rank", n, scales)
		}
		var want config.Cluster
		if err := yaml.UnmarshalWithOptions([]byte(text), &want, yaml.Strict()); err != nil {
			if !strings.Contains(text, "<<") { // whose keys the library does not let be written again
				t.Errorf("the library refuses it: %v", err)
			}
			return
		}
		if diff := cmp.Diff(want, got, cmp.Transformer("empty", func(m map[string]string) map[string]string {
			if len(m) == 0 {
				return nil
			}
			return m
		})); diff != "" {
			t.Errorf("the library reads something else: %s", diff)
		}
	})
}

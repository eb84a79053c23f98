package iris

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of docs/failure-modes.md that a running cluster can show has a spec that names it, so that
// `go tool ginkgo --focus FM-11` runs what shows row 11.
func TestEveryRowIsNamedByASpec(t *testing.T) {
	var texts strings.Builder
	spec := regexp.MustCompile(`(?s)\bIt\((?:fmt\.Sprintf\()?"[^"]*"`)
	if err := filepath.WalkDir("acceptance", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, text := range spec.FindAllString(read(t, path), -1) {
			texts.WriteString(text + "\n")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rows := [][2]int{{1, 20}, {22, 24}, {28, 28}, {31, 31}, {34, 34}, {44, 47}, {55, 55}, {59, 61}, {63, 75}, {77, 77}, {79, 82}}
	for _, r := range rows {
		for n := r[0]; n <= r[1]; n++ {
			if !regexp.MustCompile(fmt.Sprintf(`FM-%d\b`, n)).MatchString(texts.String()) {
				t.Errorf("no spec names FM-%d in its text", n)
			}
		}
	}
}

package mutant_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"iris/iris/mutant"
)

func TestEveryMutantIsDescribed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "mutant.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Mutant" {
			constants++
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if _, known := mutant.Find(mutant.Mutant(name)); !known {
				t.Errorf("%s is not in All", name)
			}
		}
		return true
	})
	if constants != len(mutant.All) {
		t.Errorf("there are %d constants, and %d in All", constants, len(mutant.All))
	}
	rule := regexp.MustCompile(`^((design §\d+|FM-\d+|\([a-k]\))(, |$))+$`)
	for _, d := range mutant.All {
		if d.Wrong == "" || !rule.MatchString(d.Breaks) || d.Where.String() == "nowhere" {
			t.Errorf("%s is described as %+v", d.Mutant, d)
		}
	}
	if _, known := mutant.Find("no-such-mutant"); known {
		t.Error("a mutant is found that is not there")
	}
}

// looksAtSources keeps a result of before from being taken for one of now: what the test builds is nothing that it imports,
// so the go command would not know that it has changed, were the folders not among the files that the test has opened.
func looksAtSources(t *testing.T) {
	t.Helper()
	if err := filepath.WalkDir("..", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
}

// traces are what a program has of this package: how often its path and the names of the mutants occur in it.
func traces(t *testing.T, flags ...string) int {
	t.Helper()
	looksAtSources(t)
	program := filepath.Join(t.TempDir(), "iris")
	build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "iris/iris/cmd/iris")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(build.Args, " "), err, out)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	n := bytes.Count(text, []byte("iris/iris/mutant"))
	for _, d := range mutant.All {
		n += bytes.Count(text, []byte(d.Mutant))
	}
	return n
}

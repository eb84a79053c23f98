package state

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure are the packages that a pure package may import, because they neither look outside nor wait (design §1).
var pure = []string{
	"cmp", "container/heap", "encoding/binary", "errors", "fmt", "iter", "maps", "math", "regexp", "slices", "strconv",
	"strings", "time", "unicode", "unicode/utf8",
	"google.golang.org/protobuf/proto", "google.golang.org/protobuf/types/known/durationpb",
	"iris/iris/proto", "iris/iris/state", "iris/iris/schedule", "iris/iris/vm", // of the last one the words: it has no code that acts
	"iris/iris/mutant", // nothing, in a product
}

// clocks are the functions of package time that read or await the clock.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

func TestThePureCoreIsPure(t *testing.T) {
	for _, dir := range []string{".", "../schedule", "../autoscaler"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no Go files in %s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, impurity := range impurities(t, file, nil) {
				t.Error(impurity)
			}
		}
	}
}

// impurities are what keeps a file from being pure, with the reason; src as in parser.ParseFile.
func impurities(t *testing.T, name string, src any) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	refuse := func(at ast.Node, format string, args ...any) {
		found = append(found, files.Position(at.Pos()).String()+": "+fmt.Sprintf(format, args...))
	}
	clock := "" // what the file calls package time
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(pure, path) {
			refuse(spec, "imports %s: the same log must always give the same state, so a pure package depends only on "+
				"what purity_test.go lists; move the code into the shell that calls it", path)
		}
		if path == "time" {
			clock = "time"
			if spec.Name != nil {
				clock = spec.Name.Name
			}
			if clock == "." {
				refuse(spec, "imports time as \".\": its functions must be told apart by name")
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			refuse(n, "starts a goroutine: a decision must be made by the one call that asks for it")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == clock && slices.Contains(clocks, n.Sel.Name) {
				refuse(n, "uses time.%s: a replay must see the instants of the log; take now as an argument",
					n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestImpurityIsFound(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`import "os"`, "3:8: imports os: "},
		{`import "sync"`, "3:8: imports sync: "},
		{`import "math/rand"`, "3:8: imports math/rand: "},
		{`import "net"`, "3:8: imports net: "},
		{`import "google.golang.org/grpc"`, "3:8: imports google.golang.org/grpc: "},
		{`import _ "iris/chaos"`, "3:8: imports iris/chaos: "},
		{`import . "time"`, `3:8: imports time as ".": `},
		{"import \"time\"\nvar x = time.Now()", "4:9: uses time.Now: "},
		{"import t \"time\"\nvar x = t.Since", "4:9: uses time.Since: "},
		{"import \"time\"\nfunc f() { time.Sleep(1) }", "4:12: uses time.Sleep: "},
		{"import \"time\"\nfunc f() { <-time.After(1) }", "4:14: uses time.After: "},
		{"import \"time\"\nvar x = time.NewTimer(1)", "4:9: uses time.NewTimer: "},
		{"import \"time\"\nvar x = time.Tick(1)", "4:9: uses time.Tick: "},
		{"func f() { go f() }", "3:12: starts a goroutine: "},
	} {
		got := impurities(t, "x.go", "package x\n\n"+c.source)
		if len(got) != 1 || !strings.HasPrefix(got[0], "x.go:"+c.want) {
			t.Errorf("%q: %q, not x.go:%s", c.source, got, c.want)
		}
	}
	harmless := "package x\nimport \"time\"\nvar x = time.Unix(0, 0).Add(time.Second)\nvar Now = x.After"
	if got := impurities(t, "x.go", harmless); got != nil {
		t.Errorf("%q: %q", harmless, got)
	}
}

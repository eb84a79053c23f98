package iris

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The floors of Iris (design §2). A package imports packages on lower floors only, so that what decides never depends on
// what acts, and every package can be understood, tested and replaced with nothing but what is below it.
//
// A new package takes its floor here. If an import does not fit, move the code or turn the dependency around; a
// new entry in sideways wants a reason that will still convince in a year.
var floors = []struct {
	pkg   string // folder below the module; "x/..." stands for x and all below it
	floor int
	is    string
	pure  bool // decides, and does nothing else: see TestDecidersArePure
}{
	{pkg: ".", floor: 5, is: "the suite file, which imports the specs"},
	{pkg: "acceptance/...", floor: 5, is: "the specs"},
	{pkg: "examples/...", floor: 5, is: "programs a user could write"},
	{pkg: "iris/cmd/iris", floor: 5, is: "the command line: wiring"},
	{pkg: "iris/follow", floor: 4, is: "watches a job for somebody"},
	{pkg: "iris/cluster", floor: 4, is: "a whole cluster in one process"},
	{pkg: "iris/controller", floor: 3, is: "a participant: talks to the others over the wire alone"},
	{pkg: "iris/worker", floor: 3, is: "a participant: talks to the others over the wire alone"},
	{pkg: "iris/dashboard", floor: 3, is: "a participant that shows the others in a browser: asks them over the wire alone"},
	{pkg: "iris/client", floor: 3, is: "a participant: talks to the others over the wire alone"},
	{pkg: "iris/autoscaler", floor: 2, is: "decides which machines to ask for and to give back", pure: true},
	{pkg: "iris/schedule", floor: 2, is: "decides who runs what", pure: true},
	{pkg: "iris/leader", floor: 2, is: "decides what the leader of a cluster decides", pure: true},
	{pkg: "iris/runtime", floor: 2, is: "a part: runs the code of tasks"},
	{pkg: "iris/view", floor: 2, is: "a part: writes what a controller says"},
	{pkg: "iris/keeper", floor: 2, is: "a part: a process that runs commands beside a worker, and its client"},
	{pkg: "iris/config", floor: 2, is: "a part: reads the cluster file"},
	{pkg: "iris/bundle", floor: 2, is: "a part: keeps and unpacks bundles"},
	{pkg: "iris/journal", floor: 2, is: "a part: the log of commands"},
	{pkg: "iris/network", floor: 2, is: "a part: listeners and dialers"},
	{pkg: "iris/faults", floor: 2, is: "a part: chaos from outside"},
	{pkg: "iris/telemetry", floor: 2, is: "a part: shows what goes on in a process"},
	{pkg: "iris/provision", floor: 2, is: "a part: creates, lists and terminates slices"},
	{pkg: "iris/localvm", floor: 2, is: "a platform: workers on this host"},
	{pkg: "iris/sshvm", floor: 2, is: "a platform: workers on hosts that are reached over SSH"},
	{pkg: "iris/peers", floor: 2, is: "a part: connections between controllers"},
	{pkg: "iris/auth", floor: 2, is: "a part: who may call what"},
	{pkg: "fakevm", floor: 2, is: "stands where a cloud would: knows nothing but the contracts of iris/vm"},
	{pkg: "iris/state", floor: 1, is: "the model of a cluster", pure: true},
	{pkg: "chaos/chaosgrpc", floor: 1, is: "chaos in the calls of any program"},
	{pkg: "chaos/chaostest", floor: 1, is: "chaos for the tests of any program"},
	{pkg: "iris/vm", floor: 1, is: "the contracts of machines"},
	{pkg: "iris/settings", floor: 1, is: "what flags, environment and files say"},
	{pkg: "iris/proto", floor: 0, is: "the wire"},
	{pkg: "iris/mutant", floor: 0, is: "deliberate bugs: nothing, unless a program is built for them"},
	{pkg: "chaos", floor: 0, is: "the fault registry: of use to any program, so it knows nothing of Iris"},
}

// sideways lists the imports between packages of one floor.
var sideways = []struct{ from, to, why string }{
	{".", "acceptance/...", "one binary and one report for all specs"},
	{"acceptance/...", "acceptance/...", "specs share a fixture"},
	{"iris/peers", "iris/network", "controllers reach each other over the network that carries everything else"},
	{"iris/peers", "iris/bundle", "controllers keep bundles together"},
	{"iris/keeper", "iris/runtime", "it is a runtime whose commands survive the worker, and runs them with the one whose do not"},
	{"iris/keeper", "iris/network", "worker and keeper talk gRPC, with the limits that all of Iris has"},
	{"iris/autoscaler", "iris/schedule", "what was not placed is asked for, and held against machines to come as it will be placed"},
	{"iris/leader", "iris/schedule", "in each step it has tasks placed"},
	{"iris/leader", "iris/autoscaler", "in each step it has slices asked for and given back, once all that fits is placed"},
	{"iris/state", "iris/vm", "a slice is in the states, and a group described in the words, of the contract"},
	{"iris/localvm", "iris/runtime", "a worker's process is known, and ended, in the way that a task's is"},
}

// testTools are what only tests and specs may import: a product that links a test framework carries its flags too.
var testTools = []string{
	"testing", "github.com/onsi/ginkgo/v2", "github.com/onsi/gomega", "pgregory.net/rapid",
	"github.com/google/go-cmp", "github.com/cockroachdb/datadriven", "github.com/anishathalye/porcupine",
	"github.com/chromedp/chromedp", "github.com/chromedp/cdproto",
}

// impure is what a decider may not import. The same commands must give the same state, byte for byte (design §1), and a
// decider is tested by giving it bad input, not by faults (design §2).
var impure = map[string]string{
	"iris/chaos":             "a decider is tested by giving it bad input",
	"google.golang.org/grpc": "it decides on values; the participants talk",
	"github.com/google/uuid": "ids come in with the command",
	"math/rand":              "what it decides follows from its input",
	"crypto/rand":            "what it decides follows from its input",
	"net":                    "it does no I/O",
	"os":                     "it does no I/O",
	"log":                    "it returns what happened; who called it logs",
	"context":                "it never waits",
	"sync":                   "it starts no goroutine, so it has nothing to guard",
}

// clocks are the names of package time that read a clock or wait for one; now is an argument of a decider.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func TestEveryPackageHasAFloor(t *testing.T) {
	packages := load(t)
	for _, p := range packages {
		if floorOf(p.pkg) < 0 {
			t.Errorf("%s has no floor; give it one in architecture_test.go", p.pkg)
		}
	}
	for i, f := range floors {
		if !slices.ContainsFunc(packages, func(p folder) bool { return within(p.pkg, f.pkg) }) {
			t.Errorf("%s has a floor but does not exist (any more); remove it from architecture_test.go", f.pkg)
		}
		for _, g := range floors[:i] {
			if within(f.pkg, g.pkg) {
				t.Errorf("%s is on two floors, by %s too", f.pkg, g.pkg)
			}
		}
	}
}

func TestImportsPointDownwards(t *testing.T) {
	packages := load(t)
	used := map[int]bool{}
	for _, p := range packages {
		for _, to := range ours(p.Imports, p.TestImports) {
			from, below := floorOf(p.pkg), floorOf(to)
			if from > below || from < 0 || below < 0 { // without a floor: TestEveryPackageHasAFloor complains
				continue
			}
			exception := slices.IndexFunc(sideways, func(s struct{ from, to, why string }) bool {
				return from == below && within(p.pkg, s.from) && within(to, s.to)
			})
			if exception >= 0 {
				used[exception] = true
				continue
			}
			t.Errorf("%s (floor %d: %s) imports %s (floor %d: %s)\n\timports point downwards only, so that a package needs nothing but what is below it (design §2)",
				p.pkg, from, roleOf(p.pkg), to, below, roleOf(to))
		}
	}
	for i, s := range sideways {
		if !used[i] {
			t.Errorf("%s no longer imports %s; remove the exception (%s)", s.from, s.to, s.why)
		}
	}
}

// A test in a package of its own (package x_test) looks at x from outside and may use whatever helps, also what is above
// x: a fake, or another participant. What it may not use are the specs and their fixture.
func TestExternalTestsStayBelowTheSpecs(t *testing.T) {
	const specs = 5
	for _, p := range load(t) {
		if floorOf(p.pkg) == specs {
			continue
		}
		for _, to := range ours(p.XTestImports) {
			if floorOf(to) >= specs {
				t.Errorf("the tests of %s import %s (floor %d: %s); what they need of it belongs below floor %d",
					p.pkg, to, floorOf(to), roleOf(to), specs)
			}
		}
	}
}

func TestProductsImportNoTestTools(t *testing.T) {
	for _, p := range load(t) {
		if within(p.pkg, "acceptance/...") {
			continue
		}
		for _, tool := range testTools {
			for _, to := range p.Imports {
				if to == tool || strings.HasPrefix(to, tool+"/") {
					t.Errorf("%s is part of the product and imports %s, a tool of tests: %s", p.pkg, to, p.ImportPos[to][0])
				}
			}
		}
	}
}

func TestDecidersArePure(t *testing.T) {
	for _, p := range load(t) {
		if !pure(p.pkg) {
			continue
		}
		for root, why := range impure {
			for _, to := range p.Imports {
				if to == root || strings.HasPrefix(to, root+"/") {
					t.Errorf("%s decides and imports %s: %s (%s)", p.pkg, to, why, p.ImportPos[to][0])
				}
			}
		}
		files := token.NewFileSet()
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a decider starts no goroutine; return what is to be done", files.Position(n.Pos()))
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
						t.Errorf("%s: a decider has no clock; take now as an argument instead of time.%s",
							files.Position(n.Pos()), n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// Every module that Iris, its tests or its tools import has a row in docs/dependencies.md that says what earns it its
// place, and every row is about a module that is still required.
func TestEveryDependencyIsExplained(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)`")
	required := read(t, "go.mod") + read(t, "go.tools.mod")
	var explained []string
	for _, m := range row.FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		explained = append(explained, m[1])
		if !strings.Contains(required, "\t"+m[1]+" v") {
			t.Errorf("docs/dependencies.md explains %s, which neither go.mod nor go.tools.mod requires; remove the row", m[1])
		}
	}
	importers := map[string]string{}
	for _, p := range load(t) {
		for _, to := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if host, _, _ := strings.Cut(to, "/"); strings.Contains(host, ".") {
				importers[to] = p.pkg
			}
		}
	}
	for _, to := range slices.Sorted(maps.Keys(importers)) {
		if !slices.ContainsFunc(explained, func(m string) bool { return to == m || strings.HasPrefix(to, m+"/") }) {
			t.Errorf("%s imports %s, of a module that docs/dependencies.md does not explain; add a row, or do without",
				importers[to], to)
		}
	}
}

// folder is a package: what go/build says of it, and its path below the module.
type folder struct {
	*build.Package
	pkg string
}

// load reads the imports of every package of the module, as the go command does for this system.
func load(t *testing.T) []folder {
	t.Helper()
	var packages []folder
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != "." && (name == "testdata" || strings.ContainsAny(name[:1], "._")) {
			return filepath.SkipDir
		}
		p, err := build.ImportDir(dir, 0)
		if none := new(build.NoGoError); errors.As(err, &none) {
			return nil
		} else if err != nil {
			return err
		}
		packages = append(packages, folder{p, filepath.ToSlash(dir)})
		return nil
	})
	if err != nil {
		t.Fatalf("read the packages of the module: %v", err)
	}
	return packages
}

// ours picks the imports that are packages of this module, by their paths below it.
func ours(imports ...[]string) []string {
	var own []string
	for _, to := range slices.Concat(imports...) {
		if below, ok := strings.CutPrefix(to, "iris/"); ok {
			own = append(own, below)
		}
	}
	slices.Sort(own)
	return slices.Compact(own)
}

// within reports whether a package matches a pattern of the tables above.
func within(pkg, pattern string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return pkg == root || below && strings.HasPrefix(pkg, root+"/")
}

// floorOf returns the floor of a package, or -1.
func floorOf(pkg string) int {
	for _, f := range floors {
		if within(pkg, f.pkg) {
			return f.floor
		}
	}
	return -1
}

func roleOf(pkg string) string {
	for _, f := range floors {
		if within(pkg, f.pkg) {
			return f.is
		}
	}
	return "not in architecture_test.go"
}

func pure(pkg string) bool {
	for _, f := range floors {
		if f.pure && within(pkg, f.pkg) {
			return true
		}
	}
	return false
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package iris

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iris/chaos"
	"iris/iris/state"
)

// pages are what people read: by path below the root, their text without fenced blocks.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range append(names, "README.md", "CONTRIBUTING.md") {
		var prose []string
		fenced := false
		for line := range strings.Lines(read(t, name)) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
				continue
			}
			if !fenced {
				prose = append(prose, line)
			}
		}
		if fenced {
			t.Errorf("%s: a fenced block has no end", name)
		}
		all[filepath.ToSlash(name)] = strings.Join(prose, "")
	}
	return all
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	notInAnchors   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names by which the headings of a page are linked to.
func anchors(text string) map[string]bool {
	all, seen := map[string]bool{}, map[string]int{}
	for _, m := range headingPattern.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		n := seen[name]
		seen[name]++
		if n > 0 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		all[name] = true
	}
	return all
}

// A link of a page to a file, below the root, and to a heading in it.
type link struct {
	as     string // as the page has it
	to     string
	anchor string // empty: to the whole file
}

// links are those of a page to files of this repository.
func links(from, text string) (all []link) {
	for _, m := range linkPattern.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		path, anchor, _ := strings.Cut(m[1], "#")
		to := from
		if path != "" {
			to = filepath.ToSlash(filepath.Join(filepath.Dir(from), path))
		}
		all = append(all, link{as: m[1], to: to, anchor: anchor})
	}
	return all
}

// Every link of the documentation to a file, or to a heading, leads somewhere; and every page is linked from another one.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{"README.md": true}
	for from, text := range all {
		for _, l := range links(from, text) {
			if _, err := os.Stat(l.to); err != nil {
				t.Errorf("%s links to %s, which is not there", from, l.as)
				continue
			}
			if l.to != from {
				reached[l.to] = true
			}
			if page, isPage := all[l.to]; l.anchor != "" && (!isPage || !anchors(page)[l.anchor]) {
				t.Errorf("%s links to %s, and %s has no such heading", from, l.as, l.to)
			}
		}
	}
	for name := range all {
		if !reached[name] {
			t.Errorf("no page links to %s", name)
		}
	}
}

// docs/README.md says in which order to read, so it lists every page.
func TestTheListOfPagesIsComplete(t *testing.T) {
	all := pages(t)
	listed := map[string]bool{"docs/README.md": true, "README.md": true}
	for _, l := range links("docs/README.md", all["docs/README.md"]) {
		listed[l.to] = true
	}
	for name := range all {
		if !listed[name] {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// Every picture below docs/img is shown by a page.
func TestEveryPictureIsShown(t *testing.T) {
	pictures, err := filepath.Glob("docs/img/*")
	if err != nil {
		t.Fatal(err)
	}
	all := pages(t)
	for _, picture := range pictures {
		shown := false
		for _, text := range all {
			shown = shown || strings.Contains(text, "img/"+filepath.Base(picture))
		}
		if !shown {
			t.Errorf("no page shows %s", picture)
		}
	}
}

// Where the documentation draws states, it draws the tables of moves; and the pages that explain states draw all three.
func TestDiagramsOfStatesDrawTheTables(t *testing.T) {
	tables := map[string]string{
		state.Diagram(state.JobMoves): "job", state.Diagram(state.TaskMoves): "task", state.Diagram(state.AttemptMoves): "attempt",
	}
	drawing := regexp.MustCompile("(?s)```mermaid\n(stateDiagram.*?)```")
	drawn := map[string][]string{}
	for name := range pages(t) {
		for _, m := range drawing.FindAllStringSubmatch(read(t, name), -1) {
			of, ok := tables[m[1]]
			if !ok {
				t.Errorf("%s has a diagram of states that is none of the tables of iris/state; those are in "+
					"iris/state/testdata/moves/diagrams:\n%s", name, m[1])
			}
			drawn[name] = append(drawn[name], of)
		}
	}
	for _, name := range []string{"docs/design.md", "docs/semantics.md"} {
		for _, of := range tables {
			if !slices.Contains(drawn[name], of) {
				t.Errorf("%s does not draw the table of moves of the %s", name, of)
			}
		}
	}
}

// References in code and pages to sections of the design name ones that there are.
func TestSectionsOfTheDesignExist(t *testing.T) {
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\d+)\. `).FindAllStringSubmatch(read(t, "docs/design.md"), -1) {
		sections[m[1]] = true
	}
	reference := regexp.MustCompile(`design(?:\.md)?\s+§(\d+)`)
	check := func(name, text string) {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if !sections[m[1]] {
				t.Errorf("%s refers to design §%s, which is not there", name, m[1])
			}
		}
	}
	for name, text := range pages(t) {
		check(name, text)
	}
	for _, p := range load(t) {
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			check(filepath.Join(p.Dir, file), read(t, filepath.Join(p.Dir, file)))
		}
	}
}

// docs/chaos.md has the sites as the program lists them.
func TestEverySiteIsDocumented(t *testing.T) {
	var table strings.Builder
	table.WriteString("| site | what firing does | may | labels besides `cluster` |\n|---|---|---|---|\n")
	for _, site := range chaos.Sites() {
		labels := slices.DeleteFunc(site.Labels(), func(l string) bool { return l == "cluster" })
		fmt.Fprintf(&table, "| `%s` | %s | %s | `%s` |\n", site.Name(), site.Doc(), site.Can(), strings.Join(labels, "`, `"))
	}
	if !strings.Contains(read(t, "docs/chaos.md"), table.String()+"\n") {
		t.Errorf("docs/chaos.md does not have this table:\n%s", table.String())
	}
	design := read(t, "docs/design.md")
	for _, site := range chaos.Sites() {
		if !strings.Contains(design, "| `"+site.Name()+"` |") {
			t.Errorf("docs/design.md has no row for the site %s", site.Name())
		}
	}
}

var (
	failureRow = regexp.MustCompile(`(?m)^\| (\d+) \| .* \| (.*) \|$`)
	codeOrPath = regexp.MustCompile("`([A-Za-z0-9_]+)`|\\((root|chaos|fakevm|iris/[a-z/]+)\\)")
	specText   = regexp.MustCompile(`"([a-z][a-z0-9_%]*): ([^"]*)"`)
	rowName    = regexp.MustCompile(`FM-(\d+)`)
	soakName   = regexp.MustCompile(`soak\{name: "([a-z0-9_]+)"`)
)

// What docs/failure-modes.md says shows a row exists; and each spec that names a row is in it.
func TestWhatShowsAFailureModeExists(t *testing.T) {
	specs, tests := map[string][]string{}, map[string]string{}
	for _, p := range load(t) {
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text := read(t, filepath.Join(p.Dir, file))
			if within(p.pkg, "acceptance/...") && !strings.HasSuffix(file, "_test.go") {
				for _, m := range specText.FindAllStringSubmatch(text, -1) {
					specs[m[1]] = append(specs[m[1]], rowName.FindAllString(m[2], -1)...)
				}
				for _, m := range soakName.FindAllStringSubmatch(text, -1) {
					specs[m[1]] = []string{}
				}
				continue
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
				tests[m[1]] += strings.Replace(p.pkg, ".", "root", 1) + " "
			}
		}
	}
	for _, site := range chaos.Sites() {
		if point, crash := strings.CutPrefix(site.Name(), "journal."); crash && point != "disk" {
			specs["crash_"+point] = specs["crash_%s"]
		}
	}
	delete(specs, "crash_%s")
	shown := map[string]string{}
	for _, row := range failureRow.FindAllStringSubmatch(read(t, "docs/failure-modes.md"), -1) {
		shown["FM-"+row[1]] = row[2]
		var waiting []string // tests, until the folder is named that they are in
		for _, m := range codeOrPath.FindAllStringSubmatch(row[2], -1) {
			name, folder := m[1], m[2]
			switch {
			case folder != "":
				for _, test := range waiting {
					if !strings.Contains(tests[test], folder+" ") {
						t.Errorf("row %s: there is no %s in %s", row[1], test, folder)
					}
				}
				waiting = nil
			case strings.HasPrefix(name, "Test"):
				waiting = append(waiting, name)
			default:
				if _, ok := specs[name]; !ok {
					t.Errorf("row %s: there is no spec %s", row[1], name)
				}
			}
		}
		if len(waiting) > 0 {
			t.Errorf("row %s does not say in which folder %s is", row[1], waiting)
		}
	}
	for name, rows := range specs {
		for _, row := range rows {
			if !strings.Contains(shown[row], "`"+name+"`") {
				t.Errorf("the spec %s says that it shows %s, and docs/failure-modes.md does not", name, row)
			}
		}
	}
}

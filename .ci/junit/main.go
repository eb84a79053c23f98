// Junit reads the output of `go test -json`, shows what a person wants to see of it (one line per package, all output of
// what failed) and writes it as a JUnit report:
//
//	go test -json ./... | go run ./.ci/junit reports/unit.xml
//
// It fails when a test, a package or a build failed. A package that fails outside of its tests counts as a failed test
// of its own name.
package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// event is one line of `go test -json`; go doc test2json says what it means.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of the build events
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

type report struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []*suite `xml:"testsuite"`

	byPackage map[string]*suite
	builds    map[string]string // output of the build of each package that had any
}

type suite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     float64     `xml:"time,attr"`
	Cases    []*testcase `xml:"testcase"`

	output map[string]*strings.Builder // by test; "" is the package's own
}

type testcase struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	Status  string    `xml:"status,attr"`
	Time    float64   `xml:"time,attr"`
	Failure *failure  `xml:"failure"`
	Skipped *struct{} `xml:"skipped"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Output  string `xml:",chardata"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go test -json ./... | go run ./.ci/junit report.xml")
	}
	r := &report{byPackage: map[string]*suite{}, builds: map[string]string{}}
	if err := r.read(os.Stdin, os.Stdout); err != nil {
		log.Fatalf("read the output of go test -json: %v", err)
	}
	if err := r.write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	if r.Failures > 0 {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader, show io.Writer) error {
	for events := json.NewDecoder(in); ; {
		var e event
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch e.Action {
		case "build-output":
			r.builds[e.ImportPath] += e.Output
			fmt.Fprint(show, e.Output)
		case "output":
			r.suite(e.Package).write(e.Test, e.Output)
		case "pass", "fail", "skip":
			r.end(e, show)
		}
	}
}

// end counts a test, or a package, that is over, and shows it if a person wants to know.
func (r *report) end(e event, show io.Writer) {
	s := r.suite(e.Package)
	output := s.take(e.Test)
	if e.Action == "fail" {
		fmt.Fprint(show, output)
	} else if e.Test == "" {
		fmt.Fprint(show, lastLine(output))
	}
	if e.Test == "" {
		s.Time = e.Elapsed
		if e.Action != "fail" || s.Failures > 0 {
			return
		}
		e.Test = "package"
	}
	r.count(s, e, r.builds[e.FailedBuild]+output)
}

func (r *report) count(s *suite, e event, output string) {
	c := &testcase{Name: e.Test, Class: e.Package, Time: e.Elapsed, Status: "passed"}
	switch e.Action {
	case "fail":
		c.Status, c.Failure = "failed", &failure{Message: e.Test + " failed", Output: output}
		r.Failures++
		s.Failures++
	case "skip":
		c.Status, c.Skipped = "skipped", &struct{}{}
		r.Skipped++
		s.Skipped++
	}
	r.Tests++
	s.Tests++
	s.Cases = append(s.Cases, c)
}

// suite returns the suite of a package, which begins when it is first heard of.
func (r *report) suite(pkg string) *suite {
	s := r.byPackage[pkg]
	if s == nil {
		s = &suite{Name: pkg, output: map[string]*strings.Builder{}}
		r.byPackage[pkg] = s
		r.Suites = append(r.Suites, s)
	}
	return s
}

func (s *suite) write(test, output string) {
	if s.output[test] == nil {
		s.output[test] = &strings.Builder{}
	}
	s.output[test].WriteString(output)
}

func (s *suite) take(test string) string {
	b := s.output[test]
	if b == nil {
		return ""
	}
	delete(s.output, test)
	return b.String()
}

func (r *report) write(name string) error {
	r.Suites = slices.DeleteFunc(r.Suites, func(s *suite) bool { return s.Tests == 0 })
	text, err := xml.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append([]byte(xml.Header), text...), 0o644)
}

func lastLine(s string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}

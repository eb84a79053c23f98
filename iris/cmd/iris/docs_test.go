package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"iris/iris/settings"
)

// documentation is what people read about this command, by path below the repository's root.
func documentation(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/systemd/*", "examples/*/*.sh"} {
		names, err := filepath.Glob(filepath.Join("../../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			below, err := filepath.Rel("../../..", name)
			if err != nil {
				t.Fatal(err)
			}
			all[below] = string(text)
		}
	}
	return all
}

var (
	inlineCode  = regexp.MustCompile("`([^`\n]+(?:\n[^`\n]+)?)`")
	continued   = regexp.MustCompile(`\\\n\s*`)
	irisCommand = regexp.MustCompile(`(?:^|[\s(;|&"'=])(?:\S*/)?iris((?: +[^\s;|&)>#]+)+)`)
	longFlag    = regexp.MustCompile(`^--([a-z][a-z-]*)`)
)

// commandLines are the command lines of a page: what its blocks say that are for a shell, and what is code in its prose.
func commandLines(name, text string) []string {
	text = continued.ReplaceAllString(text, "")
	if !strings.HasSuffix(name, ".md") {
		return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
	}
	var lines, prose []string
	language, fenced := "", false
	for line := range strings.SplitSeq(text, "\n") {
		if mark, ok := strings.CutPrefix(strings.TrimSpace(line), "```"); ok {
			language, fenced = mark, !fenced
			continue
		}
		switch {
		case !fenced:
			prose = append(prose, line)
		case strings.HasPrefix(language, "sh"):
			lines = append(lines, line)
		case language == "console" && strings.HasPrefix(line, "$ "):
			lines = append(lines, line[2:])
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
		if code := strings.ReplaceAll(m[1], "\n", " "); strings.HasPrefix(code, "iris ") {
			lines = append(lines, code)
		}
	}
	return lines
}

// known reports whether a command has a flag. Those of its tree count as well.
func known(c *cobra.Command, flag string) bool {
	return c.Flags().Lookup(flag) != nil || c.InheritedFlags().Lookup(flag) != nil || flag == "help" || flag == "version"
}

// What the documentation says of the command line is so: verbs exist, and have the flags that they are shown with.
func TestCommandLinesOfTheDocumentationAreRight(t *testing.T) {
	checked := 0
	for name, text := range documentation(t) {
		for _, line := range commandLines(name, text) {
			for _, m := range irisCommand.FindAllStringSubmatch(line, -1) {
				root := newRoot(newApp())
				root.InitDefaultCompletionCmd("bash")
				words := strings.Fields(strings.ReplaceAll(m[1], "…", ""))
				if own := slices.Index(words, "--"); own >= 0 {
					words = words[:own]
				}
				if len(words) == 0 || strings.ContainsAny(words[0], "/.:$") || words[0] == "VERB" {
					continue // a path, something that iris says, or any verb
				}
				verb, _, err := root.Find(words)
				if err != nil || !verb.HasParent() && !strings.HasPrefix(words[0], "-") {
					t.Errorf("%s: there is no verb in `iris%s` (%v)", name, m[1], err)
					continue
				}
				checked++
				for _, word := range words {
					if flag := longFlag.FindStringSubmatch(strings.Trim(word, "[]{}'\"")); flag != nil && !known(verb, flag[1]) {
						t.Errorf("%s: `%s` has no flag --%s, which `iris%s` has", name, verb.CommandPath(), flag[1], m[1])
					}
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d command lines were found in the documentation; are they looked for in the right way?", checked)
	}
}

// foreign are flags of other commands that the documentation names.
var foreign = []string{"focus", "label-filter", "repeat", "seed", "junit-report", "output-dir", "race", "randomize-all"}

// Flags and variables that the prose names exist.
func TestFlagsAndVariablesOfTheDocumentationExist(t *testing.T) {
	flags, variables := map[string]bool{}, map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		note := func(f *pflag.Flag) { flags[f.Name], variables[settings.Variable(f.Name)] = true, true }
		c.Flags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(newRoot(newApp()))
	for _, name := range foreign {
		flags[name] = true
	}
	aFlag := regexp.MustCompile("`--([a-z][a-z-]*)")
	aVariable := regexp.MustCompile(`\bIRIS_[A-Z_]*[A-Z]`)
	source := sourceOfTheProduct(t)
	for name, text := range documentation(t) {
		for _, m := range aFlag.FindAllStringSubmatch(text, -1) {
			if !flags[m[1]] {
				t.Errorf("%s names a flag --%s, and no verb has it", name, m[1])
			}
		}
		for _, variable := range aVariable.FindAllString(text, -1) {
			if !variables[variable] && !strings.Contains(source, `"`+variable) {
				t.Errorf("%s names a variable %s, which is no flag's, and which no package reads or sets", name, variable)
			}
		}
	}
}

// The settings files of the documentation are right, for the verbs that they are for.
func TestSettingsFilesOfTheDocumentationAreRight(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(# /etc/iris/iris.yaml.*?)\n```")
	found := 0
	for name, text := range documentation(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			found++
			file := filepath.Join(t.TempDir(), "iris.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"controller", "worker", "job run"} {
				root := newRoot(newApp())
				c, _, err := root.Find(strings.Fields(verb))
				if err != nil {
					t.Fatal(err)
				}
				sources := settings.Sources{Files: []string{file}, Lookup: func(string) (string, bool) { return "", false }}
				if err := sources.Apply(c); err != nil {
					t.Errorf("%s: iris %s: %v", name, verb, err)
				}
			}
		}
	}
	if found == 0 {
		t.Error("there is no settings file in the documentation")
	}
}

// Log lines that docs/operations.md explains are written somewhere.
func TestLogLinesOfTheDocumentationAreWritten(t *testing.T) {
	_, page, _ := strings.Cut(documentation(t)["docs/operations.md"], "\n## Logs\n")
	page, _, found := strings.Cut(page, "\n## ")
	lines := regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(page, -1)
	if !found || len(lines) < 5 {
		t.Fatalf("docs/operations.md has no table of log lines any more")
	}
	source := sourceOfTheProduct(t)
	for _, row := range lines {
		for _, line := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(row[1], -1) {
			if !strings.Contains(source, `"`+line[1]+`"`) {
				t.Errorf("docs/operations.md explains the log line %q, which nothing writes", line[1])
			}
		}
	}
}

// sourceOfTheProduct is all code below iris/, without tests.
func sourceOfTheProduct(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("../../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

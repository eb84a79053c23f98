package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// FileFlag is the flag that names a file of settings. It cannot be set in one.
const FileFlag = "config"

// Prepare makes the flags of a tree of commands ready for Apply: from now on parsing a command line only notes what was
// given. The help flags that cobra adds later stay as they are.
func Prepare(root *cobra.Command) {
	note := func(flag *pflag.Flag) {
		if noted(flag) != nil {
			return
		}
		given := &given{Value: flag.Value}
		flag.Value = given
		if _, ok := given.Value.(multiple); ok {
			flag.Value = givenList{given}
		}
	}
	walk(root, func(c *cobra.Command) {
		c.Flags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
	})
}

// given is a flag's value that notes what the command line says.
type given struct {
	pflag.Value
	texts []string
}

func (g *given) Set(text string) error {
	g.texts = append(g.texts, text)
	return nil
}

// givenList is one that may be given more than once, which completion needs to know.
type givenList struct{ *given }

func (g givenList) Append(text string) error { return g.Set(text) }
func (g givenList) GetSlice() []string       { return g.texts }
func (g givenList) Replace(texts []string) error {
	g.texts = texts
	return nil
}

// noted is what the command line says of a flag; nil for a flag that Prepare has not seen.
func noted(flag *pflag.Flag) *given {
	switch value := flag.Value.(type) {
	case *given:
		return value
	case givenList:
		return value.given
	}
	return nil
}

// Sources are the places besides the command line.
type Sources struct {
	// Files are read if they exist, the weakest first, unless --config names one: then that alone is, and must exist.
	Files []string
	// Lookup reads the environment.
	Lookup func(name string) (value string, ok bool)
}

// Variable is the environment variable of a flag.
func Variable(flag string) string {
	return "IRIS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Apply gives the flags of a command, whose command line has been parsed, their values.
func (s Sources) Apply(c *cobra.Command) error {
	flags := map[string]*pflag.Flag{}
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		if noted(flag) != nil {
			flags[flag.Name] = flag
		}
	})
	var wrong []error
	for _, set := range [...]func(*cobra.Command, map[string]*pflag.Flag) []error{s.files, s.environment, commandLine} {
		wrong = append(wrong, set(c, flags)...)
	}
	return errors.Join(wrong...)
}

// set gives a flag its value from one place, named for the errors.
func set(flag *pflag.Flag, place string, texts []string) (wrong []error) {
	value := noted(flag).Value
	if several, ok := value.(multiple); ok {
		wrong = several.replace(texts)
	} else {
		for _, text := range texts {
			if err := value.Set(text); err != nil {
				wrong = append(wrong, err)
			}
		}
	}
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("%s: %w", place, err)
	}
	flag.Changed = true
	return wrong
}

func (s Sources) environment(c *cobra.Command, flags map[string]*pflag.Flag) (wrong []error) {
	c.Flags().VisitAll(func(flag *pflag.Flag) { // in the order of names
		text, ok := s.Lookup(Variable(flag.Name))
		if !ok || text == "" || flags[flag.Name] == nil || flag.Name == FileFlag || flag.Annotations[noVariable] != nil {
			return
		}
		wrong = append(wrong, set(flag, "environment variable "+Variable(flag.Name), []string{text})...)
	})
	return wrong
}

func commandLine(c *cobra.Command, _ map[string]*pflag.Flag) (wrong []error) {
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		if given := noted(flag); given != nil && len(given.texts) > 0 {
			wrong = append(wrong, set(flag, "flag --"+flag.Name, given.texts)...)
		}
	})
	return wrong
}

func (s Sources) files(c *cobra.Command, flags map[string]*pflag.Flag) (wrong []error) {
	paths, must := s.Files, false
	if named, place := s.named(c); named != "" {
		paths, must = []string{named}, true
		if err := readable(named); err != nil {
			return []error{fmt.Errorf("%s: %w", place, err)}
		}
	}
	known := settingsOf(c.Root())
	for _, path := range paths {
		entries, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) && !must {
			continue
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		wrong = append(wrong, apply(entries, known, c.CommandPath(), flags)...)
	}
	return wrong
}

// named is the file that --config or its variable names, and which of them does.
func (s Sources) named(c *cobra.Command) (path, place string) {
	if flag := c.Flags().Lookup(FileFlag); flag != nil && noted(flag) != nil {
		if texts := noted(flag).texts; len(texts) > 0 {
			return texts[len(texts)-1], "flag --" + FileFlag
		}
	}
	path, _ = s.Lookup(Variable(FileFlag))
	return path, "environment variable " + Variable(FileFlag)
}

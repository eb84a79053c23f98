package settings

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Kind is a kind of values.
type Kind[T any] struct {
	// Name stands for the value in a flag's help: --cpu cores.
	Name string
	// Read makes a value of a text. Its error is a sentence about the text: `"x" is not a size such as 16GiB`.
	Read func(text string) (T, error)
	// Write is the text that Read makes the value of; empty for a default that the help is not to show.
	Write func(T) string
}

// Var declares a flag, "output", or one that has a letter as well, "output,o". The target's value is its default.
func Var[T any](flags *pflag.FlagSet, target *T, name, usage string, kind Kind[T]) *pflag.Flag {
	name, letter, _ := strings.Cut(name, ",")
	flag := flags.VarPF(&scalar[T]{target: target, kind: kind}, name, letter, usage)
	if kind.Name == boolName {
		flag.NoOptDefVal = "true"
	}
	return flag
}

// noVariable is the annotation of a flag without a variable.
const noVariable = "iris_no_variable"

// NoVariable keeps a flag from being set by the environment: the variable that has its name means something else.
func NoVariable(flag *pflag.Flag) {
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[noVariable] = []string{"true"}
}

// ListVar declares a flag that may be given several times, or once with several values between separators. An empty
// separator takes each text as one value. What is given replaces the target's value, which is the default.
func ListVar[T any](flags *pflag.FlagSet, target *[]T, name, usage, separator string, kind Kind[T]) *pflag.Flag {
	name, letter, _ := strings.Cut(name, ",")
	return flags.VarPF(&list[T]{target: target, separator: separator, kind: kind}, name, letter, usage)
}

// scalar is the pflag.Value of one value.
type scalar[T any] struct {
	target *T
	kind   Kind[T]
}

func (s *scalar[T]) Type() string   { return s.kind.Name }
func (s *scalar[T]) String() string { return s.kind.Write(*s.target) }

func (s *scalar[T]) Set(text string) error {
	value, err := s.kind.Read(text)
	if err == nil {
		*s.target = value
	}
	return err
}

// list is the pflag.Value of several values.
type list[T any] struct {
	target    *[]T
	separator string
	kind      Kind[T]
}

func (l *list[T]) Type() string { return l.kind.Name }

func (l *list[T]) String() string {
	var texts []string
	for _, value := range *l.target {
		texts = append(texts, l.kind.Write(value))
	}
	return strings.Join(texts, l.separator)
}

// Set is part of pflag.Value; it adds.
func (l *list[T]) Set(text string) error {
	before := *l.target
	if wrong := l.replace([]string{text}); len(wrong) > 0 {
		return wrong[0]
	}
	*l.target = slices.Concat(before, *l.target)
	return nil
}

// replace sets all values at once, or says what is wrong with each that cannot be.
func (l *list[T]) replace(texts []string) (wrong []error) {
	values := []T{}
	for _, text := range texts {
		parts := []string{text}
		if l.separator != "" {
			parts = strings.Split(text, l.separator)
		}
		for _, part := range parts {
			value, err := l.kind.Read(strings.TrimSpace(part))
			if err != nil {
				wrong = append(wrong, err)
			}
			values = append(values, value)
		}
	}
	if len(wrong) == 0 {
		*l.target = values
	}
	return wrong
}

// multiple is what a list has and a scalar has not.
type multiple interface {
	replace(texts []string) []error
}

//go:build mutants

package mutant

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Built says whether there are mutants in this program.
const Built = true

// Variable is the environment variable that names the mutant of a process. Empty or not set: none.
const Variable = "IRIS_MUTANT"

var current atomic.Pointer[Mutant]

func init() {
	if name := os.Getenv(Variable); name != "" {
		Switch(Mutant(name))
	}
}

// On reports whether a mutant is switched on.
func On(m Mutant) bool {
	now := current.Load()
	return now != nil && *now == m
}

// Switch switches a mutant on for the whole process, until off is called. There is one at a time: it panics if another is
// on, as it does with the list of those there are if it does not know the name.
func Switch(m Mutant) (off func()) {
	if _, known := Find(m); !known {
		names := make([]string, len(All))
		for i, d := range All {
			names[i] = string(d.Mutant)
		}
		panic(fmt.Sprintf("mutant: there is no %q; there are %s", m, strings.Join(names, ", ")))
	}
	if !current.CompareAndSwap(nil, &m) {
		panic(fmt.Sprintf("mutant: %s cannot be switched on while %s is", m, *current.Load()))
	}
	return func() { current.CompareAndSwap(&m, nil) }
}

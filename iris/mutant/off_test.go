//go:build !mutants

package mutant_test

import (
	"testing"

	"iris/iris/mutant"
)

// Not a symbol, not a name, and of what is said of the mutants not a word: the compiler has left out the branches, and the
// linker the list.
func TestAProductHasNoTraceOfMutants(t *testing.T) {
	if n := traces(t); n != 0 {
		t.Errorf("iris, built without the tag, has %d traces of mutants", n)
	}
}

// It is the time of an empty loop: see the benchmark of the tagged build for that of a look.
func BenchmarkAnIdleMutant(b *testing.B) {
	for b.Loop() {
		if mutant.On(mutant.FailureBudgetOffByOne) {
			b.Fatal("it is on")
		}
	}
}

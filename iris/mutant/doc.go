// Package mutant has deliberate bugs, one line each, in the places where somebody could make them: a check that the
// generators of random runs would find a bug nobody wrote a test for.
//
// Product code asks for one where it belongs:
//
//	if mutant.On(mutant.FailureBudgetOffByOne) {
//		failures--
//	}
//
// A mutant is there only in what is built with the tag "mutants". Without it On is the constant false, and the compiler
// leaves nothing of the branch: neither time nor a trace in the program. With the tag a test switches one on for the
// process, with [Switch] or, before it starts, with the environment variable IRIS_MUTANT.
package mutant

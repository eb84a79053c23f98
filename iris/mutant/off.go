//go:build !mutants

package mutant

// Built says whether there are mutants in this program.
const Built = false

// On reports whether a mutant is switched on: never, in what is built without the tag.
func On(Mutant) bool { return false }

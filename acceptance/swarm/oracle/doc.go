// Package oracle says what must hold of what came of a run. It states the rules of design §3 and §4 anew and naively, and
// knows nothing of the code that keeps them but the names of the states.
//
// There are three oracles: [Outcome] judges what the controller says of a job, [Runs] what workers really ran, and
// [Linearizable] what clients were told. Each is a function from values to an error, which says in one line what is wrong,
// and of what. Nil: all is right.
//
// All instants of a run are nanoseconds of one clock: none of its controllers may have a slower one than the one before.
package oracle

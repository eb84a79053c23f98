// Package leader decides what the leader of a cluster decides: which workers are lost, what runs where, which slices to ask
// for and to give back, what is forgotten, and why a task waits. It is pure: no clock, no I/O, no goroutine; the same steps
// always give the same commands and effects, byte for byte (design §1). A controller drives it with clocks, networks and a
// log, a simulator with none of them.
//
// A [Leader] lives for one term. It changes the cluster in [Leader.Step] and nowhere else.
//
// # Duties of the caller
//
//  1. Call [Leader.Begin] once, and carry out the effects.
//  2. Call [Leader.Step] with what was asked since the last one, and at the latest at [Leader.Next] without. Instants never
//     go back.
//  3. Commit the commands of a step, with its instant, as one entry of the log, in the order of the steps. Only then carry out
//     its effects and answer whoever asked: nobody hears of what may yet be undone. Later steps need not wait for that.
//  4. Tell of each sign of life ([Leader.Heard], [Leader.Heartbeat]), and of each delay of its own ([Leader.Forgive]): what held
//     it up held up everybody's heartbeats (FM-22).
//
// When workers were last heard of, and what platforms have listed, are measurements: they are not in the log, and begin anew
// with each term.
package leader

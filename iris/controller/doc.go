// Package controller is the part of Iris that leads: a gRPC server around what package leader decides.
//
// One loop owns the leader, and with it the state. Handlers post requests to its bounded inbox; the loop drains it in
// batches, has the leader decide about them and about what is due, and proposes all of that to the journal as one entry. Once
// that is committed, and not before, it answers and carries out (design §1). Nothing in the loop waits for a network or a
// disk: orders to workers leave through one courier per worker, so that a slow worker delays nobody (FM-28, FM-36).
//
// A panic in the loop is logged and ends the process: a controller that is silently half dead would be worse (FM-31).
package controller

// Package controller is the part of Iris that decides: a gRPC server around the pure model of package state.
//
// One loop owns the state. Handlers post requests to its bounded inbox; the loop drains it in batches, turns requests and
// deadlines into commands, commits them to the journal as one entry, applies them, commits the placements that have
// become possible as another, and only then answers (design §1). Nothing in the loop waits for a network, or for a disk
// other than the journal's: orders to workers leave through one courier per worker, so that a slow worker delays nobody
// (FM-28, FM-36).
//
// A panic in the loop is logged and ends the process: a controller that is silently half dead would be worse (FM-31).
package controller

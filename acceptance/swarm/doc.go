// Package swarm looks for the faults that nobody wrote down. It draws stories, tells each on the pure core (package exact) or
// on the production code in virtual time (package real), and turns one that breaks a promise into the smallest that still does:
// a file for the regressions, and a spec to read.
//
//	make swarm                    # a minute of both, from a new seed
//	make swarm SEED=7 FOR=10m
//	make swarm-soak HOURS=8
//	make replay SEED=7 GEN=exact  # one story again, with its history
//	make replay STORY=acceptance/swarm/regressions/x.json GEN=real
//	make mutants                  # how soon each deliberate bug is found
package swarm

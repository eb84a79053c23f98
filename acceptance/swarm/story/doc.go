// Package story is what a random run tells: a cluster, the jobs that are launched on it, and the faults that it suffers.
//
// A Story is a value that JSON holds, so that a run can be kept and told again, by a simulator around the pure core as by the
// production code in virtual time. Draw makes one of a seed: the same seed, the same story.
package story

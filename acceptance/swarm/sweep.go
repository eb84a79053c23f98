package swarm

import (
	"cmp"
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/fault"
	"iris/acceptance/swarm/exact"
	"iris/acceptance/swarm/story"
)

// Finding is a story that breaks a promise.
type Finding struct {
	Seed      uint64
	Story     story.Story
	Violation error
}

// Report is what came of many stories.
type Report struct {
	Stories int
	Told    time.Duration // of virtual time
	CPU     time.Duration // of this process
	// Idle counts the stories whose every fault missed: they prove nothing.
	Idle     int
	Struck   map[fault.Kind]int
	Sites    map[string]int
	Ends     map[string]int
	Met      exact.Met
	Rows     map[int]int
	Digest   [32]byte  // of all histories together, in whatever order they were told
	Findings []Finding // by seed
}

// NewReport is one of no stories.
func NewReport() *Report {
	return &Report{Struck: map[fault.Kind]int{}, Sites: map[string]int{}, Ends: map[string]int{}, Met: exact.Met{}, Rows: map[int]int{}}
}

// add counts a story.
func (r *Report) add(s story.Story, t Telling) {
	r.Stories++
	r.Told += t.Told
	if len(t.Struck) == 0 && len(s.Faults) > 0 {
		r.Idle++
	}
	count(r.Struck, t.Struck)
	count(r.Sites, t.Sites)
	count(r.Ends, t.Ends)
	count(r.Rows, t.Rows)
	r.Met.Add(t.Met)
	r.mix(t.Digest)
	if t.Violation != nil {
		r.Findings = append(r.Findings, Finding{s.Seed, s, t.Violation})
	}
}

// mix adds a digest to that of all.
func (r *Report) mix(digest [32]byte) {
	for i := range r.Digest {
		r.Digest[i] ^= digest[i]
	}
}

func count[K comparable](all, more map[K]int) {
	for k, n := range more {
		all[k] += n
	}
}

// Merge adds another report.
func (r *Report) Merge(other *Report) {
	r.Stories, r.Told, r.CPU, r.Idle = r.Stories+other.Stories, r.Told+other.Told, r.CPU+other.CPU, r.Idle+other.Idle
	count(r.Struck, other.Struck)
	count(r.Sites, other.Sites)
	count(r.Ends, other.Ends)
	count(r.Rows, other.Rows)
	r.Met.Add(other.Met)
	r.mix(other.Digest)
	r.Findings = append(r.Findings, other.Findings...)
}

// Sweep tells the stories of seeds from a first one on, at most so many, several at a time, until the context ends or one has
// broken a promise, if it is to stop then.
func Sweep(ctx context.Context, t Teller, first uint64, most, atOnce int, stop bool) *Report {
	defer debug.SetGCPercent(debug.SetGCPercent(exact.GCPercent))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for seed := first; seed < first+uint64(most); seed++ {
			select {
			case seeds <- seed:
			case <-ctx.Done():
				return
			}
		}
	}()
	r, mu, telling := NewReport(), sync.Mutex{}, sync.WaitGroup{}
	began := chronos.ProcessorTime()
	for range atOnce {
		telling.Go(func() {
			for seed := range seeds {
				s := t.Draw(seed)
				told := t.safely(s)
				mu.Lock()
				r.add(s, told)
				if stop && told.Violation != nil {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	telling.Wait()
	r.CPU = chronos.ProcessorTime() - began
	slices.SortFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Seed, b.Seed) })
	return r
}

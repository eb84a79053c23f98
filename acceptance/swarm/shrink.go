package swarm

import (
	"regexp"
	"slices"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
)

// Shrink makes a story that fails as small as it can within a time, such that it still fails in the same words, numbers and
// names aside. It returns the story and how that fails.
func Shrink(t Teller, s story.Story, violation error, within time.Duration) (story.Story, error) {
	sh := &shrinker{teller: t, best: s, violation: violation, wanted: signature(violation), until: time.Now().Add(within)}
	for better := true; better && !sh.late(); {
		better = false
		for _, pass := range []func() bool{sh.faults, sh.jobs, sh.length, sh.cluster, sh.simplerJobs, sh.simplerFaults} {
			better = pass() || better
		}
	}
	return sh.best, sh.violation
}

// shrinker holds the smallest story so far.
type shrinker struct {
	teller    Teller
	best      story.Story
	violation error
	wanted    string
	until     time.Time
}

func (sh *shrinker) late() bool { return time.Now().After(sh.until) }

var particular = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-fhmsµn.]*`)

// signature is a violation without what differs from one story to the next.
func signature(violation error) string {
	text := particular.ReplaceAllString(violation.Error(), "#")
	return text[:min(len(text), 60)]
}

// try keeps a smaller story if it fails as it should.
func (sh *shrinker) try(s story.Story) bool {
	if sh.late() || s.Check() != nil {
		return false
	}
	violation := sh.teller.fails(s)
	if violation == nil || signature(violation) != sh.wanted {
		return false
	}
	sh.best, sh.violation = s, violation
	return true
}

// without tries to leave out parts of n, first many at once, and then fewer. Make is the story without a part.
func (sh *shrinker) without(n func() int, make func(from, to int) story.Story) (better bool) {
	for size := n(); size > 0; size /= 2 {
		for from := 0; from < n() && !sh.late(); {
			if sh.try(make(from, min(from+size, n()))) {
				better = true
			} else {
				from += size
			}
		}
	}
	return better
}

func (sh *shrinker) faults() bool {
	return sh.without(func() int { return len(sh.best.Faults) }, func(from, to int) story.Story {
		s := sh.best
		s.Faults = slices.Delete(slices.Clone(s.Faults), from, to)
		return s
	})
}

func (sh *shrinker) jobs() bool {
	return sh.without(func() int { return len(sh.best.Jobs) }, func(from, to int) story.Story {
		s := sh.best
		s.Jobs = slices.Delete(slices.Clone(s.Jobs), from, to)
		for i := range s.Jobs { // parents are numbers of jobs
			switch p := s.Jobs[i].Parent - 1; {
			case p >= to:
				s.Jobs[i].Parent -= to - from
			case p >= from:
				s.Jobs[i].Parent = 0
			}
		}
		return s
	})
}

// length tries to end the story sooner: when the last of it has begun, and then at half of that.
func (sh *shrinker) length() (better bool) {
	last := fault.Span(time.Second)
	for _, j := range sh.best.Jobs {
		last = max(last, j.At)
	}
	for _, f := range sh.best.Faults {
		last = max(last, f.Begins+f.Lasts)
	}
	for _, to := range []fault.Span{last, sh.best.Length * 3 / 4, sh.best.Length / 2} {
		if to = to.Round(); to > 0 && to < sh.best.Length {
			better = sh.try(cutTo(sh.best, to)) || better
		}
	}
	return better
}

// cutTo is a story of which nothing begins after its end.
func cutTo(s story.Story, length fault.Span) story.Story {
	s.Length = length
	s.Faults = slices.Clone(s.Faults)
	for i := range s.Faults {
		f := &s.Faults[i]
		f.Begins = min(f.Begins, length)
		f.Lasts = min(f.Lasts, length-f.Begins)
	}
	s.Jobs = slices.Clone(s.Jobs)
	for i := range s.Jobs {
		s.Jobs[i].At = min(s.Jobs[i].At, length)
	}
	return s
}

func (sh *shrinker) cluster() (better bool) {
	for n := len(sh.best.Cluster.Workers) - 1; n >= 0; n-- {
		s := sh.best
		s.Cluster.Workers = s.Cluster.Workers[:n]
		if !sh.try(s) {
			break
		}
		better = true
	}
	better = sh.without(func() int { return len(sh.best.Cluster.Groups) }, func(from, to int) story.Story {
		s := sh.best
		s.Cluster.Groups = slices.Delete(slices.Clone(s.Cluster.Groups), from, to)
		return s
	}) || better
	for _, n := range []int{1, 3} {
		if n < sh.best.Cluster.Controllers {
			s := sh.best
			s.Cluster.Controllers = n
			better = sh.try(s) || better
		}
	}
	if sh.best.Cluster.Keep != 0 {
		s := sh.best
		s.Cluster.Keep = 0
		better = sh.try(s) || better
	}
	return better
}

// simplerJobs tries to have each job do with less.
func (sh *shrinker) simplerJobs() (better bool) {
	for i := range sh.best.Jobs {
		for _, simpler := range []func(*story.Job){
			func(j *story.Job) { *j = story.Job{At: j.At, Tasks: 1, CPU: 1, Runs: j.Runs} },
			func(j *story.Job) { j.Tasks = 1 },
			func(j *story.Job) { j.Tasks = (j.Tasks + 1) / 2 },
			func(j *story.Job) { j.CPU = 1 },
			func(j *story.Job) { j.GroupBy = "" },
			func(j *story.Job) { j.Pod = "" },
			func(j *story.Job) { j.Exclusive = false },
			func(j *story.Job) { j.Band = 0 },
			func(j *story.Job) { j.Failures = nil },
			func(j *story.Job) { j.Preemptions = nil },
			func(j *story.Job) { j.TaskFailures = nil },
			func(j *story.Job) { j.Timeout = 0 },
			func(j *story.Job) { j.Scheduling = 0 },
			func(j *story.Job) { j.Parent = 0 },
			func(j *story.Job) { j.Builds = false },
			func(j *story.Job) { j.Ports = false },
			func(j *story.Job) { j.Fails = 0 },
			func(j *story.Job) { j.Stubborn = false },
			func(j *story.Job) { j.Stopped = 0 },
			func(j *story.Job) { j.Twice = false },
			func(j *story.Job) { j.Runs = fault.Span(time.Second) },
			func(j *story.Job) { j.Runs = fault.Span(time.Duration(j.Runs).Round(10 * time.Second)) },
			func(j *story.Job) { j.At = 0 },
			func(j *story.Job) { j.At = fault.Span(time.Duration(j.At).Round(10 * time.Second)) },
		} {
			s := sh.best
			s.Jobs = slices.Clone(s.Jobs)
			simpler(&s.Jobs[i])
			if s.Jobs[i] != sh.best.Jobs[i] && s.Jobs[i].Runs > 0 {
				better = sh.try(s) || better
			}
		}
	}
	return better
}

// simplerFaults tries to have each fault begin sooner, last shorter, and strike more surely.
func (sh *shrinker) simplerFaults() (better bool) {
	for i := range sh.best.Faults {
		for _, simpler := range []func(*fault.Fault){
			func(f *fault.Fault) { f.Begins = 0 },
			func(f *fault.Fault) { f.Begins = fault.Span(time.Duration(f.Begins).Round(10 * time.Second)) },
			func(f *fault.Fault) { f.Begins -= f.Begins / 2 },
			func(f *fault.Fault) { f.Lasts = (f.Lasts / 2).Round() },
			func(f *fault.Fault) { f.Lasts = fault.Span(time.Duration(f.Lasts).Round(10 * time.Second)) },
			func(f *fault.Fault) {
				if f.Kind == fault.KindSite {
					f.Times = 1
				}
			},
			func(f *fault.Fault) {
				if f.Kind == fault.KindSite {
					f.Share = 1
				}
			},
			func(f *fault.Fault) { f.Jitter = 0 },
		} {
			s := sh.best
			s.Faults = slices.Clone(s.Faults)
			simpler(&s.Faults[i])
			if s.Faults[i] != sh.best.Faults[i] && (s.Faults[i].Instant() || s.Faults[i].Lasts > 0) {
				better = sh.try(s) || better
			}
		}
	}
	return better
}

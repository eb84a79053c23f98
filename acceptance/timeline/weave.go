package timeline

import (
	"cmp"
	"slices"
	"strings"
)

// woven are events in the order in which people understand them: by time, and at one instant what was done on purpose just before
// what follows from it. All else stays as it was told.
func woven(events []Event) []Event {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	var all []Event
	for len(events) > 0 {
		n := slices.IndexFunc(events, func(e Event) bool { return e.At != events[0].At })
		if n < 0 {
			n = len(events)
		}
		all = append(all, instant(events[:n])...)
		events = events[n:]
	}
	return all
}

// instant weaves the events of one instant.
func instant(events []Event) []Event {
	var told, done []Event
	for _, e := range events {
		if e.Kind == Fault || e.Kind == Killed || e.Kind == Started {
			done = append(done, e)
		} else {
			told = append(told, e)
		}
	}
	if len(done) == 0 {
		return events
	}
	tries := slices.ContainsFunc(told, func(e Event) bool { return e.Kind == DispatchFailed })
	var all []Event
	for _, e := range told {
		if tries && (e.Kind == AttemptMoved || e.Kind == TaskMoved) {
			all = append(all, e) // it follows from the tries, which the faults belong to
			continue
		}
		for len(done) > 0 && follows(e, done[0]) {
			all, done = append(all, done[0]), done[1:]
			if e.Kind == DispatchFailed { // each has a fault of its own
				break
			}
		}
		all = append(all, e)
	}
	return append(all, done...)
}

// follows reports whether an event may be what came of something that was done.
func follows(e, done Event) bool {
	switch e.Kind {
	case DispatchFailed, Lost, CallFailed:
		return done.Kind != Started
	case AttemptMoved, TaskMoved:
		return done.Kind != Started && strings.Contains(e.What, "FAILED")
	case Leads, Registered:
		return done.Kind == Started
	}
	return false
}

package leader

import (
	"time"

	"iris/iris/state"
	"iris/iris/vm"
)

// Seen is the [Ask] of a platform that shows one slice, such as one that it has just created. It wants nothing when that is
// no news.
func (l *Leader) Seen(shown state.ObserveSlice) []state.Command {
	if len(shown.VMs) == 0 || !l.cluster.SliceNews(shown) {
		return nil
	}
	return []state.Command{shown}
}

// Terminated is the [Ask] of a platform that says that a slice is gone for good.
func (l *Leader) Terminated(slice string) []state.Command {
	delete(l.scaling.missing, slice)
	return []state.Command{state.EndSlice{ID: slice, Cause: "it was terminated"}}
}

// Listed is the [Ask] of a platform's list of a group: all its slices that are there, and those that have ended lately. The
// platform was asked when it began; it may be [vm.ListLag] out of date. What it shows is held against what there should be.
func (l *Leader) Listed(group string, began time.Time, shown []state.ObserveSlice) []state.Command {
	c, s := l.cluster, &l.scaling
	if !s.listed[group] {
		s.listed[group], s.stirred = true, true
	}
	var commands []state.Command
	there := map[string]bool{}
	for _, slice := range shown {
		there[slice.ID] = true
		if gone, known := c.GoneSlice(slice.ID); known && gone.Seen && began.Sub(gone.At) < vm.ListLag {
			continue // the list may be older than the news that it is gone
		}
		commands = append(commands, l.Seen(slice)...)
	}
	for _, slice := range c.Slices() {
		if slice.Group != group {
			continue
		}
		if there[slice.ID] || slice.Live() > 0 || slice.State == vm.Requesting || slice.State == vm.Stopping {
			delete(s.missing, slice.ID) // it is there, or should not be, or may not be yet
			continue
		}
		since, missed := s.missing[slice.ID]
		if !missed {
			s.missing[slice.ID] = began
			continue
		}
		if began.Sub(since) >= vm.ListLag {
			delete(s.missing, slice.ID)
			commands = append(commands, state.EndSlice{ID: slice.ID, Cause: "its platform does not have it any more"})
		}
	}
	return commands
}

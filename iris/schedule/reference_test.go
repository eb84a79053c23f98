package schedule_test

import (
	"cmp"
	"slices"
	"strconv"

	"iris/iris/schedule"
	"iris/iris/state"
)

// reference is what Plan must do, written for reading and not for speed: it looks at every worker for every task.
func reference(v schedule.View) (plan []schedule.Assignment) {
	free, held := map[string]state.Resources{}, map[string]bool{}
	for _, w := range v.Workers {
		free[w.ID] = w.Free
	}
	usable := func(r schedule.Request, avoid []string) (workers []schedule.Worker) {
		for _, w := range v.Workers {
			if !held[w.ID] && state.Matches(r.Constraints, w.Attributes) && !slices.Contains(avoid, w.ID) {
				workers = append(workers, w)
			}
		}
		return workers
	}
	place := func(r schedule.Request, task int32, id string) {
		free[id] = free[id].Sub(r.Need)
		plan = append(plan, schedule.Assignment{Job: r.Job, Task: task, Worker: id})
	}
	for _, r := range v.Requests {
		if r.GroupBy != "" {
			referenceGang(r, usable, free, held, place)
			continue
		}
		for _, task := range r.Tasks {
			for _, w := range usable(r, avoids(r, task)) {
				if free[w.ID].Fits(r.Need) {
					place(r, task, w.ID)
					break
				}
			}
		}
	}
	return plan
}

func referenceGang(
	r schedule.Request, usable func(schedule.Request, []string) []schedule.Worker,
	free map[string]state.Resources, held map[string]bool, place func(schedule.Request, int32, string),
) {
	if len(r.Tasks) == 0 {
		return
	}
	var avoid []string
	for _, task := range r.Tasks {
		avoid = append(avoid, avoids(r, task)...)
	}
	groups := map[string][]schedule.Worker{}
	for _, w := range usable(r, avoid) {
		if value, ok := w.Attributes[r.GroupBy]; ok {
			groups[value] = append(groups[value], w)
		}
	}
	var values []string
	for value, group := range groups {
		values = append(values, value)
		slices.SortStableFunc(group, func(a, b schedule.Worker) int {
			x, errX := strconv.Atoi(a.Attributes["tpu-worker-id"])
			y, errY := strconv.Atoi(b.Attributes["tpu-worker-id"])
			switch {
			case errX == nil && errY == nil:
				return cmp.Compare(x, y)
			case errX == nil:
				return -1
			case errY == nil:
				return 1
			}
			return 0
		})
	}
	slices.Sort(values)
	room := func(have state.Resources) int {
		if !have.Fits(r.Need) {
			return 0
		}
		return int(have.Slots(r.Need))
	}
	longest, kept := -1, ""
	for _, value := range values {
		now, empty := 0, 0
		for _, w := range groups[value] {
			now += room(free[w.ID])
			empty += room(w.Capacity)
		}
		if now >= len(r.Tasks) {
			// Deal one task to each in turn, then hand out the tasks in the order of the workers.
			share := map[string]int{}
			for dealt := 0; dealt < len(r.Tasks); {
				for _, w := range groups[value] {
					if dealt < len(r.Tasks) && share[w.ID] < room(free[w.ID]) {
						share[w.ID]++
						dealt++
					}
				}
			}
			next := 0
			for _, w := range groups[value] {
				for range share[w.ID] {
					place(r, r.Tasks[next], w.ID)
					next++
				}
			}
			return
		}
		if empty >= len(r.Tasks) && now > longest {
			longest, kept = now, value
		}
	}
	if r.Bounced && longest >= 0 {
		for _, w := range groups[kept] {
			held[w.ID] = true
		}
	}
}

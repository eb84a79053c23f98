package schedule

import "iris/iris/state"

// A tree finds the first of some workers that has room, without looking at each.
//
// Every node holds, per dimension, an upper bound of what any worker below it has free. Nobody tells the tree when
// room is taken: since room only shrinks, an old number is still a bound, and first corrects those that it finds too
// high. So any number of trees may stand over the same workers, and taking room costs nothing.
type tree struct {
	free    []state.Resources // of all workers
	workers []int32           // the leaves, indexes into free
	width   int               // of the lowest level, a power of two
	most    []state.Resources // the root is at 1, the children of i at 2i and 2i+1
}

func newTree(free []state.Resources, workers []int32) tree {
	width := 1
	for width < len(workers) {
		width *= 2
	}
	t := tree{free: free, workers: workers, width: width, most: make([]state.Resources, 2*width)}
	for i := range width {
		t.most[width+i] = withheld
	}
	for i, w := range workers {
		t.most[width+i] = free[w]
	}
	for node := width - 1; node > 0; node-- {
		t.pull(node)
	}
	return t
}

// first is the first leaf at or after from that has room for need; len(t.workers) if none has.
func (t *tree) first(from int, need state.Resources) int {
	if leaf, ok := t.search(1, 0, t.width, from, need); ok {
		return leaf
	}
	return len(t.workers)
}

// search looks below node, which stands for the leaves in [low, high).
func (t *tree) search(node, low, high, from int, need state.Resources) (int, bool) {
	if high <= from || !t.most[node].Fits(need) {
		return 0, false
	}
	if high-low == 1 {
		t.most[node] = t.free[t.workers[low]]
		return low, t.most[node].Fits(need)
	}
	middle := (low + high) / 2
	leaf, ok := t.search(2*node, low, middle, from, need)
	if !ok {
		leaf, ok = t.search(2*node+1, middle, high, from, need)
	}
	t.pull(node)
	return leaf, ok
}

func (t *tree) pull(node int) {
	left, right := t.most[2*node], t.most[2*node+1]
	t.most[node] = state.Resources{
		CPUMillis:   max(left.CPUMillis, right.CPUMillis),
		MemoryBytes: max(left.MemoryBytes, right.MemoryBytes),
	}
}

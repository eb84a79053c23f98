package exact

import "slices"

// event is something that happens at an instant; those of one instant in the order in which they were planned.
type event struct {
	at, number int64
	on         *node // whom it happens to, which waits while that is frozen; nil: nobody in particular
	what       happening
}

// happening is what an event does. Those that there are many of are a struct of one pointer: nothing is allocated for them.
type happening interface{ happen() }

// whatever is a happening that is not worth a type.
type whatever func()

func (do whatever) happen() { do() }

// queue is a heap of events, the next one first. Each has up to four below it: what is near in it is near in memory.
type queue struct {
	events  []event
	planned int64
}

const below = 4

func (q *queue) push(at int64, on *node, what happening) {
	q.planned++
	e := event{at, q.planned, on, what}
	q.events = append(q.events, e)
	hole := len(q.events) - 1
	for hole > 0 {
		above := (hole - 1) / below
		if !e.before(&q.events[above]) {
			break
		}
		q.events[hole] = q.events[above]
		hole = above
	}
	q.events[hole] = e
}

func (q *queue) pop() event {
	first, last := q.events[0], len(q.events)-1
	e := q.events[last]
	q.events[last] = event{}
	q.events = q.events[:last]
	hole := 0
	for least := below*hole + 1; least < last; least = below*hole + 1 {
		for next := least + 1; next < min(below*hole+1+below, last); next++ {
			if q.events[next].before(&q.events[least]) {
				least = next
			}
		}
		if !q.events[least].before(&e) {
			break
		}
		q.events[hole] = q.events[least]
		hole = least
	}
	if last > 0 {
		q.events[hole] = e
	}
	return first
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.number < other.number
}

// line is who waits, first come, first served.
type line[T any] struct {
	all    []T
	served int // so many at the front of all are gone
}

func (l *line[T]) push(it T) { l.all = append(l.all, it) }

// waiting are those who wait.
func (l *line[T]) waiting() []T { return l.all[l.served:] }

// pop takes out the first.
func (l *line[T]) pop() (first T) {
	var none T
	first, l.all[l.served] = l.all[l.served], none
	if l.served++; l.served == len(l.all) {
		l.all, l.served = l.all[:0], 0
	}
	return first
}

// putBack makes one the first that was just popped.
func (l *line[T]) putBack(it T) { l.all, l.served = slices.Insert(l.all[l.served:], 0, it), 0 }

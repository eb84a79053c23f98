package controller

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// historySize is how many events a term keeps.
const historySize = 10_000

// history is what happened lately, as the leader of one term saw it. It is safe for concurrent use.
type history struct {
	term string // tells it from every other history

	mu      sync.Mutex
	events  []state.Event // a ring, once it is full
	next    int64         // the number of the next event
	changed chan struct{} // closed by the next event; nil: nobody waits
}

// newHistory begins with the events that were told before it, the oldest first.
func newHistory(term string, past []state.Event) *history {
	h := &history{term: term}
	h.add(past...)
	return h
}

// add notes events, which are over: whatever they follow from is committed.
func (h *history) add(events ...state.Event) {
	if len(events) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		if len(h.events) < historySize {
			h.events = append(h.events, e)
		} else {
			h.events[h.next%historySize] = e
		}
		h.next++
	}
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// page are at most so many of the events that are wanted, from a number on. Next is where the page after it begins, dropped how
// many are no longer known. When the page is empty, changed is closed once there are more events.
func (h *history) page(from int64, most int, want func(state.Event) bool) (page []state.Event, next, dropped int64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.next - int64(len(h.events))
	next = max(from, oldest)
	dropped = next - from
	for ; next < h.next && len(page) < most; next++ {
		if e := h.events[next%historySize]; want(e) {
			page = append(page, e)
		}
	}
	if len(page) == 0 {
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		changed = h.changed
	}
	return page, next, dropped, changed
}

// last is the number from which on there are so many of the events that are wanted.
func (h *history) last(n int, want func(state.Event) bool) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.next
	for oldest := h.next - int64(len(h.events)); from > oldest && n > 0; from-- {
		if want(h.events[(from-1)%historySize]) {
			n--
		}
	}
	return from
}

// cursor is where a number is, for a reader to come back to.
func (h *history) cursor(number int64) string { return fmt.Sprintf("%s/%d", h.term, number) }

// from is the number that a cursor says: 0 for none, and for that of another history.
func (h *history) from(cursor string) (number int64, other bool, err error) {
	if cursor == "" {
		return 0, false, nil
	}
	at := strings.LastIndexByte(cursor, '/')
	number, err = strconv.ParseInt(cursor[at+1:], 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case at < 0 || err != nil || number < 0 || cursor[:at] == h.term && number > h.next:
		return 0, false, status.Errorf(codes.InvalidArgument, "cursor %q is none; give next_cursor of the page before, or nothing", cursor)
	case cursor[:at] != h.term:
		return 0, true, nil
	}
	return number, false, nil
}

// maxEventsWait is how long one call may wait for events.
const maxEventsWait = 20 * time.Second

// ListEvents reads a page of the history of this term, and waits for one if the call wants that.
func (s *jobService) ListEvents(ctx context.Context, in *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	_, size, err := page("", in.PageSize)
	if err != nil {
		return nil, err
	}
	wait := in.Wait.AsDuration()
	if wait < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "wait is %v; it must not be negative", wait)
	}
	if in.Last < 0 || in.Last > maxPage {
		return nil, status.Errorf(codes.InvalidArgument, "last is %d; it must be 0 to %d", in.Last, maxPage)
	}
	l, err := s.seat.current(ctx)
	if err != nil {
		return nil, err
	}
	from, other, err := l.history.from(in.Cursor)
	if err != nil {
		return nil, err
	}
	want := func(e state.Event) bool {
		return (in.JobId == "" || e.Job == in.JobId) && (in.WorkerId == "" || e.Worker == in.WorkerId)
	}
	if in.Cursor == "" && in.Last > 0 {
		from = l.history.last(int(in.Last), want)
	}
	over := time.NewTimer(min(wait, maxEventsWait))
	defer over.Stop()
	out := &pb.ListEventsResponse{Restarted: other}
	for {
		events, next, dropped, changed := l.history.page(from, size, want)
		out.Dropped += dropped
		out.NextCursor = l.history.cursor(next)
		for _, e := range events {
			out.Events = append(out.Events, EventProto(e))
		}
		if len(events) > 0 || wait == 0 {
			return out, nil
		}
		from = next
		select {
		case <-changed:
		case <-over.C:
			return out, nil
		case <-l.done:
			return nil, s.seat.refusal(l.ended)
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// EventProto is an event as the wire has it.
func EventProto(e state.Event) *pb.Event {
	out := &pb.Event{
		At: instant(e.At), Kind: e.Kind, JobId: e.Job, WorkerId: e.Worker, SliceId: e.Slice, Group: e.Group, State: pb.TaskState(e.State),
		Slice: pb.SliceEventKind(e.What), Text: e.Text,
	}
	if e.Task >= 0 {
		out.TaskIndex = &e.Task
	}
	if e.Attempt >= 0 {
		out.AttemptId = &e.Attempt
	}
	return out
}

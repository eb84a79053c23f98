package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

const (
	tailLines  = 500              // of a log are shown when somebody begins to follow it
	pageLines  = 200              // that come at once
	logWait    = 15 * time.Second // for a line, before a follower is told that nothing came
	logTimeout = 25 * time.Second // of a call that waits for one
	maxReads   = 100              // of what a worker keeps of a log, which is 10 000 lines
	logPause   = 2 * time.Second  // after a call that failed
)

// line is one line of what is followed.
type line struct {
	At     time.Time `json:"at,omitzero"`
	Source string    `json:"source,omitempty"`
	Text   string    `json:"text"`
	Kind   string    `json:"kind,omitempty"` // stdout, stderr, iris, fired; note: not part of it
}

// lines sends some, with an id that says where to go on.
func (e events) lines(id string, all ...line) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return e.send(event{name: "lines", id: id, data: text})
}

// lines streams lines to a viewer until that is over, and says why.
func (s *Server) lines(w http.ResponseWriter, r *http.Request, stream func(ctx context.Context, out events) error) {
	token, err := s.token(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, leave, err := s.live.enter(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer leave()
	out, err := newEvents(w)
	if err != nil {
		return // the viewer has gone
	}
	err = stream(as(ctx, token), out)
	if ctx.Err() != nil {
		return // the viewer has gone, or asks again
	}
	f := failed(err)
	if err != nil {
		err = out.lines("", line{Text: f.Text, Kind: "note"})
	}
	if err == nil && f.Code != http.StatusServiceUnavailable { // then the viewer asks again
		_ = out.send(event{name: "end", data: []byte("that is all")}) // it has gone all the same
	}
}

// follower reads the log of a task's attempt, or of its last one and of those that follow.
type follower struct {
	calls   calls
	out     events
	job     string
	task    int32
	attempt int32
	alone   bool // no other attempt follows
	line    int64
	said    string // the last note
}

// followLog streams the log of a task.
func (s *Server) followLog(w http.ResponseWriter, r *http.Request) {
	job, index, attempt, err := taskIn(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Header.Get("Accept") != eventStream {
		s.readLog(w, r, &follower{calls: s.calls, job: job, task: int32(index)}, attempt)
		return
	}
	s.lines(w, r, func(ctx context.Context, out events) error {
		f := &follower{calls: s.calls, out: out, job: job, task: int32(index), alone: attempt != nil}
		last := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("from"))
		if err := f.begin(ctx, attempt, last); err != nil {
			return err
		}
		return f.run(ctx)
	})
}

// readLog answers with all there is now of the log of an attempt, as plain text.
func (s *Server) readLog(w http.ResponseWriter, r *http.Request, f *follower, attempt *int) {
	token, err := s.token(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx := as(r.Context(), token)
	if err := f.choose(ctx, attempt); err != nil {
		s.fail(w, r, err)
		return
	}
	for n := 0; n < maxReads; n++ {
		out, err := f.fetch(ctx, f.line, 0)
		if err != nil && n == 0 {
			s.fail(w, r, err)
			return
		}
		if n == 0 {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		if err != nil {
			_, _ = fmt.Fprintf(w, "(the rest could not be read: %s)\n", status.Convert(err).Message()) // whoever asked has gone
			return
		}
		for _, l := range out.Lines {
			_, _ = fmt.Fprintln(w, l.Text)
		}
		f.line = max(f.line, out.NextLine)
		if out.Complete || len(out.Lines) == 0 {
			return
		}
	}
}

// choose picks the attempt: the given one, or the last.
func (f *follower) choose(ctx context.Context, attempt *int) error {
	if attempt != nil {
		f.attempt = int32(*attempt)
		return nil
	}
	t, err := f.status(ctx)
	f.attempt = max(0, int32(len(t.GetAttempts()))-1)
	return err
}

// begin finds where to begin: where a stream before this one ended, or some lines before the end.
func (f *follower) begin(ctx context.Context, attempt *int, last string) error {
	before, at, found := strings.Cut(last, ":")
	if n, err := strconv.ParseInt(before, 10, 32); found && err == nil && n >= 0 && (attempt == nil || int64(*attempt) == n) {
		if to, err := strconv.ParseInt(at, 10, 64); err == nil && to >= 0 {
			f.attempt, f.line = int32(n), to
			return nil
		}
	}
	if err := f.choose(ctx, attempt); err != nil {
		return err
	}
	end, err := f.fetch(ctx, math.MaxInt64/2, 0)
	switch status.Code(err) {
	case codes.OK:
		f.line = max(0, end.NextLine-tailLines)
	case codes.NotFound, codes.FailedPrecondition, codes.Unavailable, codes.DeadlineExceeded: // told when it is read
	default:
		return err
	}
	return nil
}

// run reads on and on.
func (f *follower) run(ctx context.Context) error {
	for {
		out, err := f.fetch(ctx, f.line, logWait)
		switch status.Code(err) {
		case codes.OK:
			if err := f.tell(out); err != nil {
				return err
			}
			if !out.Complete {
				continue
			}
		case codes.NotFound, codes.FailedPrecondition: // there is no log (any more)
			if err := f.note(status.Convert(err).Message()); err != nil {
				return err
			}
		case codes.Unavailable, codes.DeadlineExceeded:
			if err := f.note(status.Convert(err).Message()); err != nil {
				return err
			}
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		default:
			return err
		}
		more, err := f.next(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// next goes on to the next attempt. It waits for one while there may be one.
func (f *follower) next(ctx context.Context) (more bool, err error) {
	for !f.alone {
		t, err := f.status(ctx)
		switch {
		case err != nil:
			return false, err
		case int(f.attempt)+1 < len(t.Attempts):
			f.attempt, f.line = f.attempt+1, 0
			return true, f.note(fmt.Sprintf("attempt %d, on %s", f.attempt, t.Attempts[f.attempt].WorkerId))
		case t.State.Over():
			return false, nil
		}
		if err := pause(ctx); err != nil {
			return false, err
		}
	}
	return false, nil
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(logPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *follower) status(ctx context.Context) (*pb.TaskStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := f.calls.jobs.GetTaskStatus(ctx, &pb.GetTaskStatusRequest{JobId: f.job, TaskIndex: f.task})
	return out.GetTask(), err
}

func (f *follower) fetch(ctx context.Context, from int64, wait time.Duration) (*pb.FetchTaskLogsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	return f.calls.jobs.FetchTaskLogs(ctx, &pb.FetchTaskLogsRequest{
		JobId: f.job, TaskIndex: f.task, AttemptId: &f.attempt, StartLine: from, MaxLines: pageLines, Wait: durationpb.New(wait),
	})
}

// tell passes on what was read.
func (f *follower) tell(out *pb.FetchTaskLogsResponse) error {
	f.said = ""
	var all []line
	if out.Dropped > 0 {
		all = append(all, line{Kind: "note", Text: fmt.Sprintf("%d lines were dropped: a worker keeps the last ones only", out.Dropped)})
	}
	for _, l := range out.Lines {
		all = append(all, line{At: l.At.AsTime(), Text: l.Text, Kind: l.Stream})
	}
	f.line = max(f.line, out.NextLine)
	if len(all) == 0 {
		return f.out.beat()
	}
	return f.out.lines(fmt.Sprintf("%d:%d", f.attempt, f.line), all...)
}

// note says something of the log, once.
func (f *follower) note(text string) error {
	if text == f.said {
		return f.out.beat()
	}
	f.said = text
	return f.out.lines("", line{Text: text, Kind: "note"})
}

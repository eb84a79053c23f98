package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"iris/iris/keeper"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// startKept runs a command in the keeper.
func (w *Worker) startKept(a *attempt, spec runtime.Spec, ports map[string]int) (runtime.Task, error) {
	note := &pb.AttemptNote{Run: a.run, Spec: a.spec, Ports: wirePorts(ports), Directory: filepath.Base(spec.Dir)}
	text, err := proto.Marshal(note)
	if err != nil {
		return nil, fmt.Errorf("attempt %s: %w", a.uid, err)
	}
	var lapse []byte
	if a.spec.Exclusive {
		lapse = lapsed.verdict()
	}
	task, err := w.keeper.Run(a.ctx, spec, text, lapse)
	if err != nil {
		return nil, err
	}
	return task, nil
}

// verdict is a phase as a keeper keeps it.
func (p phase) verdict() []byte {
	text, err := proto.Marshal(&pb.AttemptReport{State: p.state, Error: p.text})
	if err != nil {
		panic(fmt.Sprintf("worker: a verdict cannot be written: %v", err)) // its text is not UTF-8: a mistake of ours
	}
	return text
}

// takeOver makes what the keeper holds this worker's: what ended is told, what runs is watched again. What an earlier
// process had not brought to run, and what was lost with an earlier keeper, is not here any more; the controller learns
// that from its absence when the worker registers.
func (w *Worker) takeOver() (err error) {
	options := *w.config.Keeper
	if options.Log == nil {
		options.Log = w.config.Log
	}
	ctx, cancel := context.WithTimeout(context.Background(), keeperTimeout)
	defer cancel()
	if w.keeper, err = keeper.Open(ctx, options); err != nil {
		return err
	}
	if end := w.keeper.Lease(); !end.IsZero() {
		w.lease.renew(time.Now(), time.Until(end)+w.margin())
	}
	stay := map[string]bool{}
	for _, h := range w.keeper.Held() {
		a, note := w.adopted(h)
		select {
		case <-h.Task.Done():
			a.cancel()
			if errors.Is(h.Task.Exit().Err, keeper.ErrLost) {
				w.config.Log.Warn("an attempt was lost with an earlier keeper", "attempt", a.uid, "error", h.Task.Exit().Err)
				w.keeper.Forget(a.uid)
				continue
			}
			a.phase = exited(h.Task)
			w.ledger.add(a)
			w.logs.open(a.uid)
			w.logs.close(a.uid)
		default:
			a.phase = phase{state: pb.TaskState_TASK_STATE_RUNNING, ports: note.Ports}
			w.ledger.add(a)
			w.logs.open(a.uid)
			giveBack := w.ports.hold(note.Ports)
			if note.Directory != "" {
				stay[note.Directory] = true
			}
			w.running.Go(func() {
				defer giveBack()
				w.resume(a, h, note.Directory)
			})
		}
		w.config.Log.Info("took over an attempt", "attempt", a.uid, "state", a.phase.state)
	}
	w.sweep(stay)
	w.running.Go(func() {
		select {
		case <-w.keeper.Replaced():
			w.replaced()
		case <-w.ctx.Done():
		}
	})
	return nil
}

// adopted is an attempt as the note says. One of an earlier keeper has none: it has ended, or is about to.
func (w *Worker) adopted(h keeper.Held) (*attempt, *pb.AttemptNote) {
	a := &attempt{uid: h.UID, labels: w.labels}
	a.ctx, a.cancel = context.WithCancel(w.ctx)
	note := &pb.AttemptNote{}
	if err := proto.Unmarshal(h.Note, note); err != nil {
		w.config.Log.Error("the note of an attempt is not one", "attempt", h.UID, "error", err)
	} else if note.Run != nil && note.Spec != nil {
		a.run, a.spec = note.Run, note.Spec
	}
	return a, note
}

// resume watches an adopted attempt to its end.
func (w *Worker) resume(a *attempt, h keeper.Held, directory string) {
	defer a.cancel()
	a.course = w.traces.follow(a.run, w.config.ID, h.Began)
	a.course.advance(phase{state: pb.TaskState_TASK_STATE_RUNNING})
	var end phase
	if as, ok := verdictOf(h.Verdict); ok { // it was being stopped
		end = w.end(h.Task, w.config.KillGrace, as)
	} else if end = w.monitor(a, h.Task, h.Began); a.run == nil && end.exit != nil {
		end.exit = nil
	}
	if directory != "" {
		w.leave(filepath.Join(w.config.WorkDir, directory))
	}
	w.conclude(a, end)
}

// verdictOf reads what verdict wrote.
func verdictOf(text []byte) (phase, bool) {
	report := &pb.AttemptReport{}
	if err := proto.Unmarshal(text, report); err != nil || len(text) == 0 {
		return phase{}, false
	}
	return phase{state: report.State, text: report.Error}, true
}

// replaced reports whether another process has taken over the keeper. Then this one ends without another word: whatever
// it says of its attempts is not true any more.
func (w *Worker) replaced() bool {
	if w.keeper == nil {
		return false
	}
	select {
	case <-w.keeper.Replaced():
		w.stop()
		w.cannotGoOn(fmt.Errorf("worker %s: %w", w.config.ID, keeper.ErrReplaced))
		return true
	default:
		return false
	}
}

// attemptDirectory is what the directory of an attempt is called: a number, or, with a workspace, its job, task and attempt.
var attemptDirectory = regexp.MustCompile(`^(\d+|.+_\d+_\d+)$`)

// sweep removes, in the background, the directories of attempts that are gone.
func (w *Worker) sweep(stay map[string]bool) {
	entries, err := os.ReadDir(w.config.WorkDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.config.Log.Warn("directories of earlier attempts not removed", "directory", w.config.WorkDir, "error", err)
	}
	var left []string
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			w.directories.avoid(n)
		}
		if e.IsDir() && attemptDirectory.MatchString(e.Name()) && !stay[e.Name()] {
			left = append(left, filepath.Join(w.config.WorkDir, e.Name()))
		}
	}
	w.running.Go(func() {
		for _, dir := range left {
			if err := remove(dir); err != nil {
				w.config.Log.Warn("directory of an earlier attempt not removed", "directory", dir, "error", err)
			}
		}
	})
}

// renew notes until when the controller counts on this worker, and lets the keeper know.
func (w *Worker) renew(from time.Time, length time.Duration) {
	if w.keeper != nil { // first: an attempt that waits for the lease is the keeper's next order
		w.keeper.Renew(w.lease.endAfter(from, length).Add(-w.margin()))
	}
	w.lease.renew(from, length)
}

// follow does what the controller said of attempts.
func (w *Worker) follow(ack, stop []string) {
	w.ledger.answer(ack, stop)
	if w.keeper != nil {
		w.keeper.Forget(ack...)
	}
}

// readLog reads a page of an attempt's log, from memory, or from disk if a keeper kept it. Nil: there is none (any more).
// Without a line and not at the end, changed is closed when there may be more; what a keeper writes does not close it.
func (w *Worker) readLog(uid string, start int64, limit int) (page *pb.FetchTaskLogsResponse, changed <-chan struct{}, err error) {
	page, changed = w.logs.read(uid, start, limit)
	if w.keeper == nil || page != nil && (len(page.Lines) > 0 || page.NextLine > 0) {
		return page, changed, nil
	}
	kept, end, err := w.keeper.ReadLog(uid, start, limit)
	if err != nil || kept == nil {
		return page, changed, err
	}
	kept.Complete = end && (page == nil || page.Complete) // not known here, it is of an earlier process: nobody writes it
	if len(kept.Lines) > 0 || kept.Complete {
		changed = nil
	}
	return kept, changed, nil
}

// logLook is the time between two looks at a log on disk that somebody follows.
const logLook = 50 * time.Millisecond

// logTicks are the times to look at logs on disk: never, if there are none.
func (w *Worker) logTicks() (look <-chan time.Time, stop func()) {
	if w.keeper == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(logLook)
	return ticker.C, ticker.Stop
}

// logStamp changes with an attempt's log on disk.
func (w *Worker) logStamp(uid string) ([2]int64, error) {
	if w.keeper == nil {
		return [2]int64{}, nil
	}
	return w.keeper.LogStamp(uid)
}

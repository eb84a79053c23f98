package exact

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"iris/iris/leader"
	"iris/iris/state"
)

// history is all that happened, as one digest and, for whoever wants to read it, as lines.
type history struct {
	digest hash.Hash
	buffer []byte
	trace  io.Writer
}

func newHistory(trace io.Writer) history {
	return history{digest: sha256.New(), buffer: make([]byte, 0, 1<<13), trace: trace}
}

// write adds something short.
func (h *history) write(what, who string, n, now int64) {
	h.text(what)
	h.text(who)
	h.number(n)
	h.number(now)
	h.flush(1 << 12)
	if h.trace != nil {
		h.line(now, "%s %s %d", who, what, n)
	}
}

// note adds something rare.
func (h *history) note(what string, about fmt.Stringer, now int64) {
	h.write(what, about.String(), 0, now)
}

// step adds all that a leader decided at one instant, and what follows from it.
func (h *history) step(now int64, s *leader.Step) {
	h.number(now)
	for _, c := range s.Commands {
		h.command(c)
		if h.trace != nil {
			h.line(now, "%s", plain(c))
		}
	}
	for _, e := range s.Effects {
		switch e := e.(type) {
		case state.Run:
			h.text("run")
			h.text(e.Attempt.UID)
			h.text(e.Attempt.Worker)
		case state.Stop:
			h.text("stop")
			h.text(e.UID)
			h.text(e.Worker)
		case state.CreateSlice:
			h.text("create")
			h.text(e.ID)
		case state.TerminateSlice:
			h.text("terminate")
			h.text(e.ID)
		}
		if h.trace != nil {
			h.line(now, "    %T", e)
		}
	}
	h.flush(1 << 12)
}

func (h *history) command(c state.Command) {
	switch c := c.(type) {
	case state.SubmitJob:
		h.text("submit")
		h.text(c.ID)
	case state.CancelJob:
		h.text("cancel")
		h.text(c.ID)
	case state.Assign:
		h.text("assign")
		for _, p := range c.Placements {
			h.text(p.Job)
			h.number(int64(p.Task))
			h.text(p.Worker)
		}
	case state.Observe:
		h.text("observe")
		h.text(c.Worker)
		h.reports(c.Reports)
	case state.RegisterWorker:
		h.text("register")
		h.text(c.ID)
		h.text(c.Incarnation)
		h.text(c.Address)
		h.reports(c.Reports)
	case state.FailDispatch:
		h.text("undelivered")
		h.text(c.UID)
		h.text(c.Cause)
	case state.Expire:
		h.text("expire")
		h.number(int64(c.Deadline.Kind))
		h.text(c.Deadline.Job)
		h.text(c.Deadline.UID)
		h.text(c.Reason)
	case state.ForgetJobs:
		h.text("forget")
		for _, id := range c.IDs {
			h.text(id)
		}
	default:
		h.text(fmt.Sprintf("%T%+v", c, c)) // rare ones; their values print in one order
	}
}

func (h *history) reports(all []state.Report) {
	for i := range all {
		h.text(all[i].UID)
		h.number(int64(all[i].State))
		h.text(all[i].Error)
	}
}

func (h *history) text(s string) {
	if len(s) < 1<<7 { // as a varint has it, without a call
		h.buffer = append(append(h.buffer, byte(len(s))), s...)
		return
	}
	h.buffer = append(binary.AppendUvarint(h.buffer, uint64(len(s))), s...)
}

func (h *history) number(n int64) { h.buffer = binary.AppendVarint(h.buffer, n) }

func (h *history) line(now int64, format string, args ...any) {
	fmt.Fprintf(h.trace, "%12v  %s\n", time.Duration(now), fmt.Sprintf(format, args...))
}

// flush hands on what has come together, if it is so much.
func (h *history) flush(least int) {
	if len(h.buffer) >= least {
		h.digest.Write(h.buffer) // a hash takes all that it is given
		h.buffer = h.buffer[:0]
	}
}

func (h *history) sum() (digest [32]byte) {
	h.flush(0)
	h.digest.Sum(digest[:0])
	return digest
}

// plain is a command for people, and the same in each telling.
func plain(c state.Command) string {
	switch cmd := c.(type) {
	case state.Observe:
		cmd.Reports = withoutCodes(cmd.Reports)
		c = cmd
	case state.RegisterWorker:
		cmd.Reports = withoutCodes(cmd.Reports)
		c = cmd
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", c, c), "state.")
}

func withoutCodes(reports []state.Report) []state.Report {
	reports = slices.Clone(reports)
	for i := range reports {
		reports[i].ExitCode = nil // a pointer
	}
	return reports
}

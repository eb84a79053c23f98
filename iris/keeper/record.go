package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"iris/iris/runtime"
)

// record is a file of what a keeper runs and of the ends that nobody has forgotten yet, for whoever finds the keeper
// dead. It is there to outlive processes, not a power cut, so nothing waits for the disk itself. When it cannot be
// written (a full disk), attempts go on, and it is written anew as soon as that works.
//
// It holds no environment, and nothing of a worker's notes.
type record struct {
	path string
	log  *slog.Logger
	all  func() []entry // all that is true now: what a new file begins with

	file  *os.File // nil: the last try failed, and a new one must be written
	size  int64
	renew int64 // the size at which it is written anew, without what is over
	ended bool  // nothing is written any more

	turn chan struct{} // held by whoever uses the fields above

	mu      sync.Mutex
	waiting []entry
	failing bool        // the last try failed: the next one is due by itself
	closed  bool        // no further write is due
	later   *time.Timer // writes; nil: there has been nothing to write
}

const (
	recordName  = "record"
	recordSmall = 1 << 20 // bytes: not worth writing anew
	recordRetry = time.Second
	recordDelay = 5 * time.Millisecond // so that one write has all that belongs together
)

// entry is a line of the record: what has become true.
type entry struct {
	Keeper     *identity   `json:"keeper,omitempty"`     // who writes from here on
	Generation int64       `json:"generation,omitempty"` // of the worker that has attached
	UID        string      `json:"uid,omitempty"`        // of the attempt that the next ones are about
	Process    *runtime.ID `json:"process,omitempty"`
	Session    *runtime.ID `json:"session,omitempty"` // of an earlier keeper, if it was not this one that started it
	Verdict    []byte      `json:"verdict,omitempty"`
	Exit       *exit       `json:"exit,omitempty"`
	Lost       string      `json:"lost,omitempty"`
	Forget     []string    `json:"forget,omitempty"`
}

// identity is a keeper, so that what it left behind can be told from others.
type identity struct {
	Boot    string     `json:"boot"` // of the machine; empty if that cannot be told
	Process runtime.ID `json:"process"`
	Leader  bool       `json:"leader"` // of a session of its own
}

// session is what runtime.ID.KillGroup wants to know.
func (i identity) session() *runtime.ID {
	if i.Leader {
		return &i.Process
	}
	return &runtime.ID{}
}

// past is what a record says.
type past struct {
	keeper     identity
	generation int64
	attempts   map[string]*entry
}

// readRecord reads what an earlier keeper has written; nothing, if there was none. A line that is damaged, such as the
// last one of a machine that lost its power, is left out.
func readRecord(path string, log *slog.Logger) (past, error) {
	p := past{attempts: map[string]*entry{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			log.Warn("a line of the keeper's record is damaged and left out", "record", path, "error", err)
			continue
		}
		p.take(e)
	}
	return p, nil
}

func (p *past) take(e entry) {
	if e.Keeper != nil {
		p.keeper = *e.Keeper
	}
	p.generation = max(p.generation, e.Generation)
	for _, uid := range e.Forget {
		delete(p.attempts, uid)
	}
	if e.UID == "" {
		return
	}
	a := p.attempts[e.UID]
	if a == nil {
		a = &entry{UID: e.UID}
		p.attempts[e.UID] = a
	}
	if e.Process != nil {
		a.Process = e.Process
	}
	if e.Session != nil {
		a.Session = e.Session
	}
	if len(e.Verdict) > 0 {
		a.Verdict = e.Verdict
	}
	if e.Exit != nil {
		a.Exit = e.Exit
	}
	if e.Lost != "" {
		a.Lost = e.Lost
	}
}

// newRecord begins a record anew with all that is true.
func newRecord(path string, log *slog.Logger, all func() []entry) (*record, error) {
	r := &record{path: path, log: log, all: all, turn: make(chan struct{}, 1)}
	return r, r.begin()
}

// add has entries written soon. They must be true already. Nobody waits for the file: on a busy disk that can take long, and
// what is lost if the keeper is killed in between is as if it had been killed a moment before.
func (r *record) add(entries ...entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, entries...)
	if !r.failing && len(r.waiting) == len(entries) {
		r.schedule(recordDelay)
	}
}

// schedule has the record written after a while. The caller holds mu.
func (r *record) schedule(after time.Duration) {
	switch {
	case r.closed:
	case r.later == nil:
		r.later = time.AfterFunc(after, r.write)
	default:
		r.later.Reset(after)
	}
}

// write writes all that waits, at once. What fails is tried again after recordRetry, whether more is added or not.
func (r *record) write() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.ended {
		return
	}
	r.mu.Lock()
	entries := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	err := r.put(entries)
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.failing
	r.failing = err != nil
	switch {
	case r.failing:
		r.schedule(recordRetry)
		if !was {
			r.log.Error("the keeper's record is not written; attempts go on", "record", r.path, "error", err)
		}
	case was:
		r.log.Info("the keeper's record is written again", "record", r.path)
		if len(r.waiting) > 0 {
			r.schedule(recordDelay)
		}
	}
}

// close writes what waits and ends the record. Nothing may be added any more.
func (r *record) close() error {
	r.mu.Lock()
	r.closed = true
	if r.later != nil {
		r.later.Stop()
	}
	r.mu.Unlock()
	r.write()
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.ended = true
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *record) put(entries []entry) error {
	switch {
	case r.file == nil || len(entries) > 0 && r.size > r.renew:
		return r.begin() // which has them, because they are true
	case len(entries) == 0:
		return nil
	}
	n, err := r.file.Write(lines(entries))
	r.size += int64(n)
	if err != nil {
		_ = r.file.Close() // what it holds is not needed any more
		r.file = nil
	}
	return err
}

// begin writes a new file and puts it into the place of the old one.
func (r *record) begin() (err error) {
	if r.file != nil {
		_ = r.file.Close() // it is replaced
		r.file = nil
	}
	text := lines(r.all())
	fresh := r.path + ".new"
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := os.Rename(fresh, r.path); err != nil {
		return err
	}
	r.file, r.size, r.renew = file, int64(len(text)), max(recordSmall, 4*int64(len(text)))
	return nil
}

func lines(entries []entry) []byte {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	for _, e := range entries {
		if err := to.Encode(e); err != nil {
			panic(fmt.Sprintf("keeper: a record entry cannot be written: %v", err)) // a mistake in its type
		}
	}
	return text.Bytes()
}

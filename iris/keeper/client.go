package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// Options say which keeper a Client uses.
type Options struct {
	// Dir is the keeper's folder, of this worker alone.
	Dir string
	// Args are given to a keeper that has to be started, after "keeper --dir DIR".
	Args []string
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Client is a worker's end of its keeper. It is a runtime.Runtime: it runs commands in the keeper, which is started with
// the first of them, and again should it die. Its methods are safe for concurrent use.
type Client struct {
	options  Options
	held     []Held
	ctx      context.Context // ends when the client does
	stop     context.CancelFunc
	wake     chan struct{} // orders wait
	replaced chan struct{} // closed when another process has taken over
	running  sync.WaitGroup

	child *exec.Cmd // the keeper, if this process has started it; used by one goroutine at a time

	mu         sync.Mutex
	tasks      map[string]*Task
	start      []*Task // whose order is to be sent
	stopping   []*Task // the same
	forget     []string
	forgetting bool      // soon
	renewed    bool      // the lease is to be sent
	lease      time.Time // zero: none
	generation int64     // of the last session; 0: none yet
	link       *link     // nil: not attached
	pid        int       // of the keeper that this client is attached to; 0: none
	shut       bool      // the keeper is to end
	over       error     // why nothing is started any more
}

// Held is an attempt that the keeper has held over a restart of its worker.
type Held struct {
	UID string
	// Note is what the order said; empty if the attempt was run by a keeper that is dead.
	Note []byte
	// Began is when it was started, as this process's clock has it. Zero if an earlier keeper ran it.
	Began time.Time
	// Verdict is what the first Stop said; empty: it was not stopped.
	Verdict []byte
	// Task is the attempt. One that is over has an exit already; that of one that was lost is ErrLost.
	Task *Task
}

// Open takes over what the keeper of a folder holds, if there is one; an earlier worker process, should it still be
// there, loses it. If there was a keeper that is dead, another one is started, to tell what became of its attempts.
func Open(ctx context.Context, o Options) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("keeper of %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if err := prepare(dir); err != nil {
		return nil, fmt.Errorf("keeper of %s: %w", dir, err)
	}
	c := &Client{options: o, wake: make(chan struct{}, 1), replaced: make(chan struct{}), tasks: map[string]*Task{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	s, err := c.find(ctx)
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("keeper of %s: %w", dir, err)
	}
	if s != nil {
		for _, a := range s.attempts {
			c.held = append(c.held, c.adopt(a))
		}
	}
	c.running.Go(func() { c.keep(s) })
	return c, nil
}

// find attaches to the keeper if there is anything to be learnt from one.
func (c *Client) find(ctx context.Context) (*link, error) {
	s, err := c.attach(ctx)
	if !errors.Is(err, errNobody) {
		return s, err
	}
	if info, err := os.Stat(filepath.Join(c.options.Dir, recordName)); err != nil || info.Size() == 0 {
		return nil, nil // no keeper, and none that died
	}
	return c.connect(ctx)
}

func (c *Client) adopt(a *pb.KeptAttempt) Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := newTask(c, a.Uid)
	c.tasks[t.uid] = t
	h := Held{UID: t.uid, Note: a.Note, Verdict: a.Verdict, Task: t}
	if a.Age != nil {
		h.Began = time.Now().Add(-a.Age.AsDuration())
	}
	t.settle(nil)
	t.see(a)
	return h
}

// Held are the attempts that the keeper held when it was opened, by uid.
func (c *Client) Held() []Held { return c.held }

// Start runs s's command in the keeper. Its Log is not used: the keeper keeps the log, for ReadLog.
func (c *Client) Start(ctx context.Context, s runtime.Spec) (runtime.Task, error) {
	t, err := c.Run(ctx, s, nil, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Run is Start with what is to be kept: note is for whoever opens the keeper after this process; an attempt with a lapse
// is killed when the lease runs out, with the lapse as its verdict. The error is ErrLost if it was not the command that
// could not be started, but a keeper to start it.
func (c *Client) Run(ctx context.Context, s runtime.Spec, note, lapse []byte) (*Task, error) {
	t := newTask(c, s.UID)
	var err error
	if t.order, t.size, err = order(s, note, lapse); err == nil {
		err = c.enter(t)
	}
	if err != nil {
		return nil, fmt.Errorf("attempt %s: not started: %w", s.UID, err)
	}
	c.send()
	select {
	case <-t.settled:
	case <-ctx.Done():
		if c.withdraw(t) {
			return nil, fmt.Errorf("attempt %s: not started: %w", s.UID, ctx.Err())
		}
		<-t.settled // it may run already, and must not be said not to
	}
	if t.refusal != nil {
		c.Forget(t.uid)
		return nil, t.refusal
	}
	return t, nil
}

// order is what the keeper is told to run, and how large that is. Its error shows no value of the environment (FM-86).
func order(s runtime.Spec, note, lapse []byte) (out *pb.StartOrder, size int, err error) {
	dir, err := filepath.Abs(s.Dir) // as seen from here; the keeper is elsewhere
	if err != nil {
		return nil, 0, err
	}
	inherited := runtime.Inherited() // by this process, which may not be the one that started the keeper
	for name, value := range inherited {
		inherited[name] = strings.ToValidUTF8(value, "\uFFFD")
	}
	size = len(note) + len(lapse)
	for _, text := range append([]string{s.UID, dir}, s.Argv...) {
		if size += len(text); !utf8.ValidString(text) {
			return nil, 0, fmt.Errorf("%q is not valid UTF-8", text)
		}
	}
	for name, value := range s.Env {
		if size += len(name) + len(value); !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, 0, fmt.Errorf("its environment variable %q is not valid UTF-8", name)
		}
	}
	if size > orderMost {
		return nil, 0, fmt.Errorf("its command line, environment and note have %d bytes, more than %d", size, orderMost)
	}
	return &pb.StartOrder{Uid: s.UID, Argv: s.Argv, Env: s.Env, Inherited: inherited, Dir: dir, Note: note, Lapse: lapse}, size, nil
}

func (c *Client) enter(t *Task) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over != nil:
		return c.over
	case c.tasks[t.uid] != nil:
		return errors.New("it was started already")
	}
	c.tasks[t.uid] = t
	c.start = append(c.start, t)
	if c.link == nil {
		stir(c.wake)
	}
	return nil
}

// withdraw takes back an order that was not sent, and reports whether it could.
func (c *Client) withdraw(t *Task) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.start, t)
	if i < 0 || t.sentTo != "" {
		return false
	}
	c.start = slices.Delete(c.start, i, i+1)
	delete(c.tasks, t.uid)
	return true
}

// Forget lets the keeper drop ended attempts, whose ends are noted elsewhere. Others, unknown ones too, are not touched.
func (c *Client) Forget(uids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uid := range uids {
		if t := c.tasks[uid]; t != nil && t.over {
			delete(c.tasks, uid)
			c.forget = append(c.forget, uid)
		}
	}
	if len(c.forget) > 0 && !c.forgetting { // there is no hurry: it goes with the next order, or soon
		c.forgetting = true
		time.AfterFunc(forgetDelay, func() { stir(c.wake) })
	}
}

const forgetDelay = 50 * time.Millisecond

// Renew sets when attempts with a lapse are to be gone.
func (c *Client) Renew(end time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease, c.renewed = end, true
	stir(c.wake)
}

// Lease is when attempts with a lapse are to be gone; zero: there is no lease.
func (c *Client) Lease() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease
}

// ReadLog reads a page of what an attempt has written so far, from line start on, at most limit lines, and reports whether
// it goes to the end. Nil: there is nothing on disk, because the attempt wrote nothing, was never here, or its log was
// dropped; the logs of the last 1 000 finished attempts are kept. It needs no keeper.
func (c *Client) ReadLog(uid string, start int64, limit int) (page *pb.FetchTaskLogsResponse, end bool, err error) {
	return readLog(filepath.Join(c.options.Dir, logsName), uid, start, limit)
}

// LogStamp is a value that changes with an attempt's log.
func (c *Client) LogStamp(uid string) ([2]int64, error) {
	return logStamp(filepath.Join(c.options.Dir, logsName), uid)
}

// Replaced is closed when another process has taken over the keeper. All tasks have ended then with ErrReplaced, for this
// process alone: they go on, and are not this one's any more.
func (c *Client) Replaced() <-chan struct{} { return c.replaced }

// Close leaves the keeper to itself, with all that it holds. To this process its tasks are over.
func (c *Client) Close() error {
	c.stop()
	c.running.Wait()
	return nil
}

// Shutdown ends the keeper, and kills what still runs. Ends that were not forgotten stay on disk for the next one. When
// ctx ends first, the keeper is killed, and its tasks with it.
func (c *Client) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.shut = true
	stir(c.wake)
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() { // it ends with the client
		c.running.Wait()
		close(ended)
	}()
	var late error // what keeps the keeper from ending
	select {
	case <-ended:
	case <-ctx.Done():
		late = c.kill(ctx.Err())
	}
	c.stop()
	<-ended
	c.mu.Lock()
	ours := c.over != nil && !errors.Is(c.over, ErrReplaced)
	c.mu.Unlock()
	if !ours || late != nil {
		return late
	}
	c.reap() // it was told to end, or killed
	lock, err := takeLock(context.WithoutCancel(ctx), filepath.Join(c.options.Dir, lockName), stopPatience)
	if err != nil {
		return fmt.Errorf("keeper of %s: it does not end: %w", c.options.Dir, err)
	}
	return lock.Close()
}

// kill ends a keeper that does not do it by itself.
func (c *Client) kill(why error) error {
	c.mu.Lock()
	pid := c.pid
	c.mu.Unlock()
	if pid == 0 {
		return fmt.Errorf("keeper of %s: it does not answer, and may still run: %w", c.options.Dir, why)
	}
	keeper, err := os.FindProcess(pid) // attached to it, this process knows that the number is still its own
	if err == nil {
		err = keeper.Kill()
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("keeper of %s: it did not end when told to, and could not be killed: %w", c.options.Dir, err)
	}
	return nil
}

// keep stays attached to a keeper for as long as there is something to keep.
func (c *Client) keep(s *link) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, Multiplier: 2, MaxInterval: 2 * time.Second, RandomizationFactor: 0.1,
	}
	for why := errClosed; ; {
		err := error(nil)
		if s == nil {
			s, err = c.next()
		}
		if err == nil {
			pause.Reset()
			err = c.serve(s)
			s = nil
		}
		switch {
		case errors.Is(err, ErrReplaced):
			c.options.Log.Error("another process has taken over the keeper", "dir", c.options.Dir)
			close(c.replaced)
			why = ErrReplaced
			fallthrough
		case errors.Is(err, errClosed), c.ctx.Err() != nil:
			c.letGo(why)
			return
		case errors.Is(err, errNoKeeper):
			c.options.Log.Error("no keeper can be started", "dir", c.options.Dir, "error", err)
			c.mourn(err)
		case !c.shutting():
			c.options.Log.Warn("the connection to the keeper ended", "dir", c.options.Dir, "error", err)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-c.ctx.Done():
		}
	}
}

// next waits until a keeper is needed, and attaches to it. One that is to end is needed if it is there.
func (c *Client) next() (*link, error) {
	for !c.needed() && !c.shutting() {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return nil, errClosed
		}
	}
	if !c.shutting() {
		return c.connect(c.ctx)
	}
	s, err := c.attach(c.ctx)
	if errors.Is(err, errNobody) {
		err = errClosed
	}
	return s, err
}

var errClosed = errors.New("this process has let go of its keeper")

// shutting reports whether the keeper is to end.
func (c *Client) shutting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shut
}

// needed reports whether a keeper has something to do or to tell.
func (c *Client) needed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tasks {
		if !t.over {
			return true
		}
	}
	return false
}

// letGo ends everything for this process. Nothing is started any more.
func (c *Client) letGo(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = why
	for _, t := range c.tasks {
		t.settle(why)
		t.finish(runtime.Exit{Code: 1, Err: why})
	}
}

// mourn ends what a keeper ran that is dead and has no successor, and what waits for one.
func (c *Client) mourn(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.stopping = nil, nil
	for _, t := range c.tasks {
		t.lose(why.Error())
	}
}

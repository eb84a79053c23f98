package worker

import (
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
)

const (
	logLines    = 10_000  // kept of one attempt, the last ones
	logBytes    = 4 << 20 // kept of one attempt
	logAttempts = 1_000   // finished attempts whose logs are kept
	logSilent   = 10_000  // finished attempts that wrote nothing of which that is remembered
	logPage     = 10_000  // lines of one answer
)

// logs keeps what attempts wrote, in memory and bounded. An attempt has a log from open on; an empty one is a log too.
type logs struct {
	mu       sync.Mutex
	attempts map[string]*attemptLog
	closed   queue         // uids of complete logs, in the order they finished
	silent   queue         // the same, of logs without a line
	opened   chan struct{} // closed by the next open; nil while nobody waits for one
}

type attemptLog struct {
	lines   []*pb.LogLine
	dropped int64 // lines before the first kept one
	bytes   int
	closed  bool
	changed chan struct{} // closed by the next line or the end; nil while nobody waits for it
}

func newLogs() *logs { return &logs{attempts: map[string]*attemptLog{}} }

// open begins an attempt's log.
func (l *logs) open(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempts[uid] == nil {
		l.attempts[uid] = &attemptLog{}
		wake(&l.opened)
	}
}

func (l *logs) add(uid, stream, text string) {
	line := &pb.LogLine{At: timestamppb.New(time.Now()), Stream: stream, Text: text}
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil {
		return // it is over
	}
	log.lines = append(log.lines, line)
	log.bytes += len(text)
	for len(log.lines) > logLines || log.bytes > logBytes && len(log.lines) > 1 {
		log.bytes -= len(log.lines[0].Text)
		log.lines = log.lines[1:]
		log.dropped++
	}
	wake(&log.changed)
}

// close marks a log as complete and drops the oldest complete ones beyond what is kept.
func (l *logs) close(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil || log.closed {
		return
	}
	log.closed = true
	wake(&log.changed)
	kept, most := &l.closed, logAttempts
	if log.dropped == 0 && len(log.lines) == 0 {
		kept, most = &l.silent, logSilent
	}
	if oldest, over := kept.push(uid, most); over {
		delete(l.attempts, oldest)
	}
}

// read returns a page of an attempt's log; nil if it has none (any more). While that has no line and is not the end,
// changed is closed when there may be more to read.
func (l *logs) read(uid string, start int64, limit int) (page *pb.FetchTaskLogsResponse, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil {
		return nil, awake(&l.opened)
	}
	end := log.dropped + int64(len(log.lines))
	page = &pb.FetchTaskLogsResponse{Dropped: max(0, log.dropped-start)}
	start = min(max(start, log.dropped), end)
	page.NextLine = min(start+int64(limit), end)
	page.Lines = append(page.Lines, log.lines[start-log.dropped:page.NextLine-log.dropped]...)
	page.Complete = log.closed && page.NextLine == end
	if len(page.Lines) > 0 || page.Complete {
		return page, nil
	}
	return page, awake(&log.changed)
}

// awake is a channel that the next wake closes.
func awake(c *chan struct{}) <-chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// wake wakes all who wait.
func wake(c *chan struct{}) {
	if *c != nil {
		close(*c)
		*c = nil
	}
}

// queue is a ring of uids in the order they came.
type queue struct {
	uids  []string
	first int // the oldest, once the ring is full
}

// push adds a uid. Beyond most it takes the oldest out and returns it.
func (q *queue) push(uid string, most int) (oldest string, over bool) {
	if len(q.uids) < most {
		q.uids = append(q.uids, uid)
		return "", false
	}
	oldest = q.uids[q.first]
	q.uids[q.first] = uid
	q.first = (q.first + 1) % most
	return oldest, true
}

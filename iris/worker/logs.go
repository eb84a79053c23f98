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
	logPage     = 10_000  // lines of one answer
)

// logs keeps what attempts wrote, in memory and bounded.
type logs struct {
	mu       sync.Mutex
	attempts map[string]*attemptLog
	closed   []string // uids in the order they finished
}

type attemptLog struct {
	lines   []*pb.LogLine
	dropped int64 // lines before the first kept one
	bytes   int
	closed  bool
}

func newLogs() *logs { return &logs{attempts: map[string]*attemptLog{}} }

func (l *logs) add(uid, stream, text string) {
	line := &pb.LogLine{At: timestamppb.New(time.Now()), Stream: stream, Text: text}
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil {
		log = &attemptLog{}
		l.attempts[uid] = log
	}
	log.lines = append(log.lines, line)
	log.bytes += len(text)
	for len(log.lines) > logLines || log.bytes > logBytes && len(log.lines) > 1 {
		log.bytes -= len(log.lines[0].Text)
		log.lines = log.lines[1:]
		log.dropped++
	}
}

// close marks a log as complete and drops the oldest complete ones beyond what is kept.
func (l *logs) close(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil {
		return // it wrote nothing
	}
	log.closed = true
	l.closed = append(l.closed, uid)
	if len(l.closed) > logAttempts {
		delete(l.attempts, l.closed[0])
		l.closed = l.closed[1:]
	}
}

// read returns a page of an attempt's log; nil if it has none.
func (l *logs) read(uid string, start int64, limit int) *pb.FetchTaskLogsResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.attempts[uid]
	if log == nil {
		return nil
	}
	end := log.dropped + int64(len(log.lines))
	out := &pb.FetchTaskLogsResponse{Dropped: max(0, log.dropped-start)}
	start = min(max(start, log.dropped), end)
	out.NextLine = min(start+int64(limit), end)
	out.Lines = append(out.Lines, log.lines[start-log.dropped:out.NextLine-log.dropped]...)
	out.Complete = log.closed && out.NextLine == end
	return out
}

package runtime

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxLine is where a line that has no end is cut, in bytes.
const maxLine = 64 << 10

// lines cuts a stream of bytes into lines of valid UTF-8.
type lines struct {
	emit func(line string)
	rest []byte // what came after the last newline, at most maxLine bytes
}

// Write cannot fail; it emits each line that p completes.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		take := min(len(p), maxLine+1-len(l.rest)) // one more than fits shows that the line goes on
		if 0 <= end && end < take {
			l.send(append(l.rest, p[:end]...))
			l.rest = l.rest[:0]
			p = p[end+1:]
			continue
		}
		l.rest = append(l.rest, p[:take]...)
		p = p[take:]
		if len(l.rest) > maxLine {
			cut := runeBoundary(l.rest, maxLine)
			l.send(l.rest[:cut])
			l.rest = append(l.rest[:0], l.rest[cut:]...)
		}
	}
	return n, nil
}

// Close emits the last line if it had no newline.
func (l *lines) Close() {
	if len(l.rest) > 0 {
		l.send(l.rest)
		l.rest = nil
	}
}

func (l *lines) send(line []byte) {
	l.emit(strings.ToValidUTF8(string(line), string(utf8.RuneError)))
}

// runeBoundary is the last place at or before limit where no character is cut in two.
func runeBoundary(b []byte, limit int) int {
	for cut := limit; cut > limit-utf8.UTFMax; cut-- {
		if utf8.RuneStart(b[cut]) {
			return cut
		}
	}
	return limit // not UTF-8 anyway
}

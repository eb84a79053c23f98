package sshvm

import "bytes"

// lineMost is how many bytes of a line are kept.
const lineMost = 4096

// lineWriter makes lines of what is written to it, and keeps the last ones.
type lineWriter struct {
	most    int          // lines that it keeps; 0: none
	tell    func(string) // is told each line; may be nil
	lines   []string
	partial []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		text, after, whole := bytes.Cut(rest, []byte("\n"))
		w.partial = append(w.partial, text[:min(len(text), lineMost-len(w.partial))]...)
		if whole {
			w.end()
		}
		rest = after
	}
	return len(p), nil
}

// flush makes a line of what has no end.
func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.end()
	}
}

func (w *lineWriter) end() {
	line := string(bytes.ToValidUTF8(bytes.TrimSuffix(w.partial, []byte("\r")), []byte("?")))
	w.partial = w.partial[:0]
	if w.most > 0 {
		w.lines = keepLast(append(w.lines, line), w.most)
	}
	if w.tell != nil {
		w.tell(line)
	}
}

// keepLast is the last n lines.
func keepLast(lines []string, n int) []string {
	return lines[max(0, len(lines)-n):]
}

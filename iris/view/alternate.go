package view

import (
	"io"
	"slices"
	"strings"
)

// Alternate is the other screen of a terminal, which leaves what was on the first one as it was. It is for one goroutine.
type Alternate struct{ Out io.Writer }

// Open switches to it. Close must follow, whatever happens.
func (a Alternate) Open() error { return a.send("\x1b[?1049h\x1b[?25l\x1b[?7l") } // no cursor, and nothing wraps

// Close switches back.
func (a Alternate) Close() error { return a.send("\x1b[?7h\x1b[?25h\x1b[?1049l") }

// Show replaces what it shows, on a terminal of so many rows, of which there must not be more lines.
func (a Alternate) Show(lines []string, rows int) error {
	lines = append(slices.Clone(lines), make([]string, max(0, rows-len(lines)))...)
	return a.send("\x1b[H\x1b[K" + strings.Join(lines, "\r\n\x1b[K")) // erased before it is written: a full line leaves the cursor on its end
}

func (a Alternate) send(text string) error {
	_, err := io.WriteString(a.Out, text)
	return err
}

package view

import (
	"fmt"
	"io"
	"strings"
)

// sheet is all there is to say about one thing: fields, and tables below them.
type sheet struct {
	terminal Terminal
	label    int // the width of the fields' names
	strings.Builder
}

// field adds one, in as many lines as it takes.
func (s *sheet) field(name, value string, c colour) {
	for i, line := range wrap(clean(value), max(s.terminal.Width-s.label, 0)) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(s, "%s%s\n", s.terminal.paint(bold, fmt.Sprintf("%-*s", s.label, name)), s.terminal.paint(c, line))
	}
}

func (s *sheet) write(w io.Writer) error {
	_, err := io.WriteString(w, s.String())
	return err
}

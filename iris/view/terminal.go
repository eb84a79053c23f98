package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Terminal is what the reader's side can do. The zero value is a pipe: any width, no colours, nothing is redrawn.
type Terminal struct {
	Width   int  // in columns; 0: unlimited
	Live    bool // lines can be redrawn
	Colour  bool
	Unicode bool // beyond ASCII
}

// colour is an SGR code.
type colour string

const (
	plain  colour = ""
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
	grey   colour = "90"
	bold   colour = "1"
)

func (t Terminal) paint(c colour, text string) string {
	if !t.Colour || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// mark is the sign for left-out text.
func (t Terminal) mark() string {
	if t.Unicode {
		return "…"
	}
	return "~"
}

// cut shortens a text to a number of columns.
func (t Terminal) cut(text string, width int) string {
	if width <= 0 || columns(text) <= width {
		return text
	}
	if width == 1 {
		return t.mark()
	}
	short, _ := split(text, width-1)
	return short + t.mark()
}

// wrap breaks a text at spaces into lines of a number of columns; a longer word is broken. No width: one line.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	lines, line := []string{}, ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && columns(line)+1+columns(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; columns(line) > width; {
			first, rest := split(line, width)
			lines, line = append(lines, first), rest
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// Paragraph writes a text after a label, broken at spaces so that no line is wider than the terminal; all lines but the first
// are indented by the label's width.
func Paragraph(t Terminal, label, text string) string {
	width := 0
	if t.Width > 2*len(label) {
		width = t.Width - len(label)
	}
	return label + strings.Join(wrap(text, width), "\n"+strings.Repeat(" ", len(label)))
}

// clean makes one harmless line of a text: nothing in it moves the cursor, or turns the direction of writing.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
}

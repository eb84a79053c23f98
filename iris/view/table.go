package view

import (
	"io"
	"strings"
	"unicode/utf8"
)

// column is one of a table.
type column struct {
	title string
	// drop is when it goes if the terminal is too narrow: the highest first; 0 stays always.
	drop int
	// least is the width to which its texts may be cut; 0: they may not.
	least int
	right bool // aligned to the right
}

// cell is a text with its colour.
type cell struct {
	text   string
	colour colour
}

type table struct {
	columns []column
	rows    [][]cell
}

func (t *table) add(row ...cell) { t.rows = append(t.rows, row) }

func text(s string) cell { return cell{text: clean(s)} }

const gap = "  " // between columns

// write writes the table so that no line is longer than the terminal is wide.
func (t *table) write(w io.Writer, terminal Terminal) error {
	widths := t.layout(terminal.Width)
	var out strings.Builder
	head := make([]cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = cell{text: c.title, colour: bold}
	}
	t.line(&out, terminal, widths, head)
	for _, row := range t.rows {
		t.line(&out, terminal, widths, row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (t *table) line(out *strings.Builder, terminal Terminal, widths []int, row []cell) {
	var line strings.Builder
	pending := "" // blanks that are written only if something follows
	for i, c := range row {
		if widths[i] == 0 {
			continue
		}
		shown := terminal.cut(c.text, widths[i])
		blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(shown))
		if t.columns[i].right {
			shown, pending, blanks = terminal.paint(c.colour, shown), pending+blanks, ""
		} else {
			shown = terminal.paint(c.colour, shown)
		}
		if shown != "" {
			line.WriteString(pending + shown)
			pending = ""
		}
		pending += blanks + gap
	}
	out.WriteString(line.String() + "\n")
}

// layout gives each column its width; 0 for one that is dropped.
func (t *table) layout(width int) []int {
	natural := make([]int, len(t.columns))
	for i, c := range t.columns {
		natural[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			natural[i] = max(natural[i], utf8.RuneCountInString(row[i].text))
		}
	}
	if width <= 0 {
		return natural
	}
	widths := make([]int, len(t.columns))
	for {
		used, next := 0, -1 // next: the one to drop
		for i, c := range t.columns {
			if natural[i] == 0 {
				continue
			}
			widths[i] = natural[i]
			if c.least > 0 {
				widths[i] = min(natural[i], max(c.least, utf8.RuneCountInString(c.title)))
			}
			used += widths[i] + len(gap)
			if c.drop > 0 && (next < 0 || c.drop > t.columns[next].drop) {
				next = i
			}
		}
		left := width - (used - len(gap))
		if left >= 0 || next < 0 {
			t.stretch(widths, natural, left)
			return widths
		}
		natural[next], widths[next] = 0, 0
	}
}

// stretch hands what is left to the columns that were cut, the leftmost first; what is missing is taken from the rightmost
// column that can spare it.
func (t *table) stretch(widths, natural []int, left int) {
	for i := range widths {
		if more := min(natural[i]-widths[i], max(left, 0)); more > 0 {
			widths[i], left = widths[i]+more, left-more
		}
	}
	for i := len(widths) - 1; i >= 0 && left < 0; i-- {
		if t.columns[i].least > 0 && widths[i] > 0 {
			less := min(widths[i]-1, -left)
			widths[i], left = widths[i]-less, left+less
		}
	}
}

package view

import (
	"io"
	"strings"
)

// column is one of a table.
type column struct {
	title string
	// drop is when it goes if the terminal is too narrow: the highest first; 0 stays always.
	drop int
	// good is the width to which its texts may be cut while nothing else is given up for it, least the width to which they may
	// be cut at all; 0: they may not.
	good, least int
	right       bool // aligned to the right
	// whole: its texts are never cut. They are broken into lines, or go below their rows if there is no room beside the other
	// columns. Only the last one may be so.
	whole bool
}

// enough is the room that whole texts want beside the other columns.
const enough = 32

// minor is the first drop of columns that go before the others are cut short.
const minor = 3

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
		t.rest(&out, terminal, widths, row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// rest writes what of a row is left: in its own column, or below the row, further in than that.
func (t *table) rest(out *strings.Builder, terminal Terminal, widths []int, row []cell) {
	last := len(row) - 1
	if c := row[last]; t.columns[last].whole && c.text != "" {
		first := row[0].text
		indent := len(first) - len(strings.TrimLeft(first, " ")) + 4
		lines := wrap(c.text, max(terminal.Width-indent, 1))
		if widths[last] > 0 {
			indent = 0
			for _, width := range widths[:last] { // none is dropped
				indent += width + len(gap)
			}
			lines = wrap(c.text, widths[last])[1:]
		}
		for _, line := range lines {
			out.WriteString(strings.Repeat(" ", indent) + terminal.paint(c.colour, line) + "\n")
		}
	}
}

func (t *table) line(out *strings.Builder, terminal Terminal, widths []int, row []cell) {
	var line strings.Builder
	pending := "" // blanks that are written only if something follows
	for i, c := range row {
		if widths[i] == 0 {
			continue
		}
		shown := terminal.cut(c.text, widths[i])
		if t.columns[i].whole {
			shown = wrap(c.text, widths[i])[0]
		}
		blanks := strings.Repeat(" ", widths[i]-columns(shown))
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
		natural[i] = columns(c.title)
		for _, row := range t.rows {
			natural[i] = max(natural[i], columns(row[i].text))
		}
	}
	if width <= 0 {
		return natural
	}
	if last := len(t.columns) - 1; t.columns[last].whole {
		text := natural[last]
		natural[last] = 0
		room := width - t.used(natural, func(column) int { return 0 }) - len(gap)
		if room >= min(text, enough) {
			natural[last] = min(text, room)
		}
	}
	good := func(c column) int { return c.good }
	least := func(c column) int { return c.least }
	for t.used(natural, good) > width && t.dropLast(natural, minor) {
	}
	for t.used(natural, least) > width && t.dropLast(natural, 1) {
	}
	widths := t.widths(natural, least)
	left := width - t.used(natural, least)
	grow := func(to []int) {
		for i := range widths {
			if more := min(to[i]-widths[i], max(left, 0)); more > 0 {
				widths[i], left = widths[i]+more, left-more
			}
		}
	}
	grow(t.widths(natural, good))
	grow(natural)
	for i := len(widths) - 1; i >= 0 && left < 0; i-- { // nothing more can be dropped
		if t.columns[i].least > 0 && widths[i] > 0 {
			less := min(widths[i]-1, -left)
			widths[i], left = widths[i]-less, left+less
		}
	}
	for i := len(widths) - 1; i >= 0 && left < 0; i-- { // a terminal that is too narrow for any table
		if widths[i] > 0 {
			less := min(widths[i]-1, -left)
			widths[i], left = widths[i]-less, left+less
		}
	}
	for i := len(widths) - 1; i > 0 && left < 0; i-- {
		if widths[i] > 0 {
			widths[i], left = 0, left+widths[i]+len(gap)
		}
	}
	return widths
}

// widths are those of the columns that are left when texts are cut to a limit.
func (t *table) widths(natural []int, limit func(column) int) []int {
	widths := make([]int, len(natural))
	for i, c := range t.columns {
		widths[i] = natural[i]
		if most := limit(c); most > 0 {
			widths[i] = min(natural[i], max(most, columns(c.title)))
		}
	}
	return widths
}

// used is the width of a line.
func (t *table) used(natural []int, limit func(column) int) int {
	used := -len(gap)
	for _, width := range t.widths(natural, limit) {
		if width > 0 {
			used += width + len(gap)
		}
	}
	return used
}

// dropLast drops the column that is to go first, of those whose drop is at least so much. It returns false if there is none.
func (t *table) dropLast(natural []int, from int) bool {
	next := -1
	for i, c := range t.columns {
		if natural[i] > 0 && c.drop >= from && (next < 0 || c.drop > t.columns[next].drop) {
			next = i
		}
	}
	if next < 0 {
		return false
	}
	natural[next] = 0
	return true
}

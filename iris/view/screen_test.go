package view

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// emulator is a terminal that understands what Screen writes: lines, a carriage return, going up, erasing below. Anything
// else fails the test.
type emulator struct {
	t      interface{ Fatalf(string, ...any) }
	lines  []string
	row    int
	column int
}

func (e *emulator) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		switch {
		case text[0] == '\n':
			e.row, e.column, text = e.row+1, 0, text[1:]
		case text[0] == '\r':
			e.column, text = 0, text[1:]
		case strings.HasPrefix(text, "\x1b[J"):
			e.lines = e.lines[:min(len(e.lines), e.row)]
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			number, rest, ok := strings.Cut(text[2:], "A")
			up, err := strconv.Atoi(number)
			if !ok || err != nil || up > e.row {
				e.t.Fatalf("the terminal does not understand %q in row %d", text, e.row)
			}
			e.row, text = e.row-up, rest
		default:
			end := strings.IndexAny(text, "\n\r\x1b")
			if end < 0 {
				end = len(text)
			}
			for len(e.lines) <= e.row {
				e.lines = append(e.lines, "")
			}
			if e.column != 0 || e.lines[e.row] != "" {
				e.t.Fatalf("%q is written over %q", text[:end], e.lines[e.row])
			}
			e.lines[e.row], e.column, text = text[:end], end, text[end:]
		}
	}
	return len(p), nil
}

// Whatever is written and redrawn, in whatever order: all lines stand on the terminal in the order they were written, the
// last block below them, and nothing of the earlier blocks.
func TestTheBlockStaysBelowWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terminal := &emulator{t: t}
		screen := &Screen{Out: terminal, Err: terminal, Shared: true}
		var written, block []string
		for step := range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "action") {
			case 0:
				lines := fmt.Sprintf("out %d", step)
				if rapid.Bool().Draw(t, "two") {
					lines += "\nand more\n"
				}
				written = append(written, strings.Split(strings.TrimSuffix(lines, "\n"), "\n")...)
				if err := screen.Print(lines); err != nil {
					t.Fatal(err)
				}
			case 1:
				written = append(written, fmt.Sprintf("note %d", step))
				if err := screen.Note(written[len(written)-1]); err != nil {
					t.Fatal(err)
				}
			default:
				block = nil
				for i := range rapid.IntRange(0, 4).Draw(t, "height") {
					block = append(block, fmt.Sprintf("block %d of step %d", i, step))
				}
				if err := screen.Draw(block); err != nil {
					t.Fatal(err)
				}
			}
			if want := slices.Concat(written, block); !slices.Equal(terminal.lines, want) {
				t.Fatalf("the terminal shows\n%s\nwant\n%s", strings.Join(terminal.lines, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// What goes into a file or a pipe has no trace of the block.
func TestAPipeGetsLinesOnly(t *testing.T) {
	var out bytes.Buffer
	terminal := &emulator{t: t}
	screen := &Screen{Out: &out, Err: terminal}
	if err := screen.Draw([]string{"block"}); err != nil {
		t.Fatal(err)
	}
	if err := screen.Print("a line"); err != nil {
		t.Fatal(err)
	}
	if out.String() != "a line\n" || !slices.Equal(terminal.lines, []string{"block"}) {
		t.Errorf("the pipe got %q, the terminal %q", out.String(), terminal.lines)
	}
}

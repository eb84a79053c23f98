package view

import (
	"fmt"
	"io"
	"time"
)

// Act is a fault of a demonstration, and what became of it.
type Act struct {
	Title string
	// Faults is how often it struck, Attempts how many attempts the job took that lived through it.
	Faults, Attempts int
	Took             time.Duration
	// Wrong is what did not hold; empty: everything did.
	Wrong string
}

// Acts writes a table of all acts of a demonstration.
func Acts(w io.Writer, terminal Terminal, acts []Act) error {
	t := table{columns: []column{
		{title: "#", right: true}, {title: "FAULT", least: 12}, {title: "STRUCK", right: true, drop: 3}, {title: "ATTEMPTS", right: true, drop: 2},
		{title: "TOOK", right: true, drop: 1}, {title: "HELD"}, {title: "WHY NOT", whole: true},
	}}
	held := true
	for i, a := range acts {
		verdict := cell{"yes", green}
		if a.Wrong != "" {
			verdict, held = cell{"no", red}, false
		}
		t.add(text(fmt.Sprint(i+1)), text(a.Title), text(fmt.Sprint(a.Faults)), text(fmt.Sprint(a.Attempts)), text(Duration(a.Took)), verdict, text(a.Wrong))
	}
	if held { // nothing would stand in the last column
		t.columns = t.columns[:len(t.columns)-1]
		for i := range t.rows {
			t.rows[i] = t.rows[i][:len(t.columns)]
		}
	}
	return t.write(w, terminal)
}

// Told is a line of a story, with a word before it that says what it is about; in as many lines as it takes.
func Told(terminal Terminal, word, line string) string {
	const label = 10
	p := &page{terminal: terminal}
	if terminal.Width > 0 && terminal.Width < 3*label {
		p.text(0, bold, word)
		p.text(2, plain, line)
		return p.out.String()
	}
	s := sheet{terminal: terminal, label: label}
	s.field(word, line, plain)
	return s.String()
}

package state

import (
	"fmt"
	"slices"
	"strings"
)

// Diagram draws a table of moves as a mermaid state diagram, states in the order of [States]: from the first state
// that has moves to those that have none.
func Diagram(m Moves) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	draw := func(from, to any) { fmt.Fprintf(&b, "    %v --> %v\n", from, to) }
	first, reached := true, map[State]bool{}
	for _, from := range States {
		if first && len(m[from]) > 0 {
			draw("[*]", from)
			first = false
		}
		for _, to := range States {
			if slices.Contains(m[from], to) {
				draw(from, to)
				reached[to] = true
			}
		}
	}
	for _, s := range States {
		if reached[s] && len(m[s]) == 0 {
			draw(s, "[*]")
		}
	}
	return b.String()
}

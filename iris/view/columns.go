package view

import (
	"unicode"

	"golang.org/x/text/width"
)

// columns is how many columns of a terminal a text takes: characters of East Asia and most pictures take two, marks that stand on
// the character before them none.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// split is the beginning of a text that takes at most so many columns, one or more, and the rest. A first character that is too
// wide for that becomes a question mark.
func split(text string, most int) (first, rest string) {
	taken := 0
	for i, r := range text {
		if taken += columnsOf(r); taken > most {
			if i == 0 {
				return "?", text[len(string(r)):]
			}
			return text[:i], text[i:]
		}
	}
	return text, ""
}

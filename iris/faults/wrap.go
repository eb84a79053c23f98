package faults

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/status"
)

// lines are what a Page is about to write.
type lines struct {
	page *Page
	text strings.Builder
}

func (p *Page) begin() *lines { return &lines{page: p} }

// end writes it all, and after it who has not answered.
func (l *lines) end(reports []Report) error {
	for _, g := range gather(reports, func(r Report) string {
		if r.Err == nil {
			return ""
		}
		return strings.ReplaceAll(status.Convert(r.Err).Message(), "\n", "; ")
	}) {
		l.line(0, list(g.names)+" did not answer: "+g.text)
	}
	_, err := io.WriteString(l.page.Out, l.text.String())
	return err
}

// line adds a text behind an indentation. Where it is too wide it is broken at a blank, or else anywhere, and goes on four
// characters further in.
func (l *lines) line(indent int, text string) {
	const least = 16 // of text in a line, however narrow the page is
	text = printable(text)
	for further := 4; ; further = 0 {
		var rest string
		if room := max(l.page.Width-indent, least); l.page.Width > 0 && utf8.RuneCountInString(text) > room {
			text, rest = cut(text, room)
		}
		l.text.WriteString(strings.Repeat(" ", indent) + text + "\n")
		if rest == "" {
			return
		}
		text = rest
		indent += further
	}
}

// printable has a mark for each character that has no picture, such as the end of a line.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsGraphic(c) {
			return utf8.RuneError
		}
		return c
	}, text)
}

// cut breaks a text that is longer than width.
func cut(text string, width int) (head, rest string) {
	runes := []rune(text)
	at := width
	for i := width; i > 0; i-- {
		if runes[i] == ' ' {
			at = i
			break
		}
	}
	return strings.TrimRight(string(runes[:at]), " "), strings.TrimLeft(string(runes[at:]), " ")
}

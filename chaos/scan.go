package chaos

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote is s as it stands in the text of a rule: in quotes, as in Go, unless it is plain.
func quote(s string) string {
	special := func(c rune) bool { return !plainRune(c) }
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, special) {
		return strconv.Quote(s)
	}
	return s
}

// plainRune reports whether c may stand outside of quotes.
func plainRune(c rune) bool {
	return unicode.IsGraphic(c) && !unicode.IsSpace(c) && !strings.ContainsRune("\"[],=;#", c)
}

func (l label) String() string { return quote(l.key) + "=" + quote(l.value) }

// token is a piece of a text, and where it begins.
type token struct {
	kind         kind
	raw          string // as it stands there
	value        string // without quotes
	offset       int    // in bytes, from 0
	line, column int    // in characters, from 1
}

// kind is what a token is; marks such as '[' are their own.
type kind rune

const (
	end       kind = -iota
	separator      // a semicolon, or the end of a line
	word           // plain characters
	arrow          // -> between two steps
	quoted         // a text in quotes
	broken         // one whose quotes are wrong
	strange        // a character that means nothing here
)

// String is what was found, for an error.
func (t token) String() string {
	switch {
	case t.kind == end:
		return "the end of the text"
	case t.raw == "\n":
		return "the end of the line"
	case t.kind == quoted:
		return t.raw
	case t.kind == broken:
		return "quotes that do not end, or are not as in Go"
	}
	return strconv.Quote(t.raw)
}

// scanner cuts a text into tokens.
type scanner struct {
	token            // the current one
	text             string
	rest             string // what comes after it
	inSteps          bool   // words are shorter there
	atLine, atColumn int    // where rest begins
}

func newScanner(text string) scanner { return scanner{text: text, rest: text, atLine: 1, atColumn: 1} }

// next makes the token after the current one the current one; after the last it stays at the end.
func (s *scanner) next() {
	s.skip()
	s.token = token{offset: len(s.text) - len(s.rest), line: s.atLine, column: s.atColumn}
	if s.rest == "" {
		return
	}
	first, size := utf8.DecodeRuneInString(s.rest)
	switch {
	case first == '\n' || first == ';':
		s.kind, s.raw = separator, s.rest[:size]
	case first == '"':
		s.quoted()
	case s.inSteps && strings.HasPrefix(s.rest, "->"):
		s.kind, s.raw = arrow, "->"
	case s.inSteps && strings.ContainsRune("*%+(),", first), !s.inSteps && strings.ContainsRune("[],=", first):
		s.kind, s.raw = kind(first), s.rest[:size]
	case s.wordRune(first):
		s.kind, s.raw = word, s.plain()
		s.value = s.raw
	default:
		s.kind, s.raw = strange, s.rest[:size]
	}
	s.take(len(s.raw))
}

// skip passes what separates words, and comments up to the end of their line.
func (s *scanner) skip() {
	for {
		text := strings.TrimLeftFunc(s.rest, func(c rune) bool { return c != '\n' && unicode.IsSpace(c) })
		s.take(len(s.rest) - len(text))
		if !strings.HasPrefix(s.rest, "#") {
			return
		}
		comment, _, _ := strings.Cut(s.rest, "\n")
		s.take(len(comment))
	}
}

// take moves past n bytes.
func (s *scanner) take(n int) {
	for _, c := range s.rest[:n] {
		s.atColumn++
		if c == '\n' {
			s.atLine, s.atColumn = s.atLine+1, 1
		}
	}
	s.rest = s.rest[n:]
}

// plain is the word at the beginning of rest.
func (s *scanner) plain() string {
	word := s.rest[:len(s.rest)-len(strings.TrimLeftFunc(s.rest, s.wordRune))]
	if s.inSteps {
		word, _, _ = strings.Cut(word, "->")
	}
	return word
}

// wordRune reports whether c is part of a word here.
func (s *scanner) wordRune(c rune) bool {
	return plainRune(c) && !(s.inSteps && strings.ContainsRune("*%+()", c))
}

// among reads the current token anew, as one that is among steps or not.
func (s *scanner) among(steps bool) {
	s.inSteps = steps
	s.rest, s.atLine, s.atColumn = s.text[s.offset:], s.line, s.column
	s.next()
}

// quoted reads a text in quotes; a broken one goes to the end of its line.
func (s *scanner) quoted() {
	raw, err := strconv.QuotedPrefix(s.rest)
	if err != nil {
		raw, _, _ = strings.Cut(s.rest, "\n")
		s.kind, s.raw = broken, raw
		return
	}
	s.kind, s.raw = quoted, raw
	s.value, _ = strconv.Unquote(raw) // QuotedPrefix returns nothing that cannot be unquoted
}

// at is an error at a token.
func (s *scanner) at(t token, format string, args ...any) error {
	place := fmt.Sprintf("column %d", t.column)
	if strings.Contains(s.text, "\n") {
		place = fmt.Sprintf("line %d, %s", t.line, place)
	}
	return fmt.Errorf(place+": "+format, args...)
}

// wants is an error at the current token, which is not what was expected.
func (s *scanner) wants(what string) error { return s.at(s.token, "found %v, want %s", s.token, what) }

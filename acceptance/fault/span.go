package fault

import "time"

// Span is a length of time that JSON has as text, such as "1m30s".
type Span time.Duration

// String is the text of a duration.
func (s Span) String() string { return time.Duration(s).String() }

// MarshalText is its String.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

// Round is the nearest multiple of a tenth of a second: nobody wants to read more.
func (s Span) Round() Span { return Span(time.Duration(s).Round(100 * time.Millisecond)) }

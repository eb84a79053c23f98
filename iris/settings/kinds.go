package settings

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/dustin/go-humanize"
)

const boolName = "bool" // what pflag calls a flag without a value

// Text is any text.
func Text(name string) Kind[string] {
	return Kind[string]{
		Name:  name,
		Read:  func(text string) (string, error) { return text, nil },
		Write: func(text string) string { return text },
	}
}

// Address is where something serves: host:port. The host may be empty where one listens.
func Address() Kind[string] {
	return Kind[string]{
		Name: "host:port",
		Read: func(text string) (string, error) {
			_, port, err := net.SplitHostPort(text)
			if n, e := strconv.Atoi(port); err != nil || e != nil || n < 0 || n > 65535 {
				return "", fmt.Errorf("%q is not an address such as 127.0.0.1:7070", text)
			}
			return text, nil
		},
		Write: func(text string) string { return text },
	}
}

// Bool is a switch.
func Bool() Kind[bool] {
	return Kind[bool]{
		Name: boolName,
		Read: func(text string) (bool, error) {
			on, err := strconv.ParseBool(text)
			if err != nil {
				return false, fmt.Errorf("%q is not true or false", text)
			}
			return on, nil
		},
		Write: strconv.FormatBool,
	}
}

// Duration is a time of at least the given length, which is not negative.
func Duration(least time.Duration) Kind[time.Duration] {
	return Kind[time.Duration]{
		Name: "duration",
		Read: func(text string) (time.Duration, error) {
			d, err := time.ParseDuration(text)
			switch {
			case err != nil:
				return 0, fmt.Errorf("%q is not a duration such as 90s or 5m", text)
			case d < least:
				return 0, fmt.Errorf("%q is too short: it must be at least %v", text, least)
			}
			return d, nil
		},
		Write: func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			text := d.String() // "1m0s" is "1m" for people
			if strings.HasSuffix(text, "m0s") {
				text = strings.TrimSuffix(text, "0s")
			}
			if strings.HasSuffix(text, "h0m") {
				text = strings.TrimSuffix(text, "0m")
			}
			return text
		},
	}
}

var binaryUnits = [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}

// Bytes is a size above zero, written 16GiB (binary) or 16GB (decimal).
func Bytes() Kind[int64] {
	return Kind[int64]{
		Name: "size",
		Read: func(text string) (int64, error) {
			n, err := humanize.ParseBytes(text)
			if err != nil || n > math.MaxInt64 || n == 0 {
				return 0, fmt.Errorf("%q is not a size such as 16GiB or 500MB", text)
			}
			return int64(n), nil
		},
		Write: func(n int64) string {
			if n == 0 {
				return ""
			}
			size, unit := float64(n), 0
			for size >= 1024 && unit < len(binaryUnits)-1 {
				size, unit = size/1024, unit+1
			}
			return strconv.FormatFloat(math.Floor(size*10)/10, 'f', -1, 64) + binaryUnits[unit]
		},
	}
}

// Cores is a number of cores above zero, to the thousandth.
func Cores() Kind[float64] {
	return Kind[float64]{
		Name: "cores",
		Read: func(text string) (float64, error) {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || !(n >= 0.001) || math.IsInf(n, 0) { // also NaN
				return 0, fmt.Errorf("%q is not a number of cores such as 4 or 0.5", text)
			}
			return n, nil
		},
		Write: func(n float64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatFloat(n, 'f', -1, 64)
		},
	}
}

// Count is a whole number within limits, both included.
func Count[N int | int32](least, most N) Kind[N] {
	return Kind[N]{
		Name: "n",
		Read: func(text string) (N, error) {
			n, err := strconv.ParseInt(text, 10, 64)
			switch {
			case err != nil:
				return 0, fmt.Errorf("%q is not a whole number", text)
			case n < int64(least) || n > int64(most):
				return 0, fmt.Errorf("%q is not in %d to %d", text, least, most)
			}
			return N(n), nil
		},
		Write: func(n N) string { return strconv.FormatInt(int64(n), 10) },
	}
}

// Optional is a kind whose values need not be there; nil is none.
func Optional[T any](kind Kind[T]) Kind[*T] {
	return Kind[*T]{
		Name: kind.Name,
		Read: func(text string) (*T, error) {
			value, err := kind.Read(text)
			return &value, err
		},
		Write: func(value *T) string {
			if value == nil {
				return ""
			}
			return kind.Write(*value)
		},
	}
}

// Choice is one of a few words.
func Choice(name string, words ...string) Kind[string] {
	return Kind[string]{
		Name: name,
		Read: func(text string) (string, error) {
			for _, word := range words {
				if strings.EqualFold(word, text) {
					return word, nil
				}
			}
			return "", fmt.Errorf("%q is not %s%s", text, enumerate(words), meant(nearest(text, words)))
		},
		Write: func(word string) string { return word },
	}
}

// Pair is a key and its value, written key=value. Named in the error: what it is, such as "an attribute".
func Pair(what string) Kind[[2]string] {
	return Kind[[2]string]{
		Name: "key=value",
		Read: func(text string) ([2]string, error) {
			key, value, ok := strings.Cut(text, "=")
			if !ok || key == "" {
				return [2]string{}, fmt.Errorf("%q is not %s such as zone=eu-1", text, what)
			}
			return [2]string{key, value}, nil
		},
		Write: func(pair [2]string) string { return pair[0] + "=" + pair[1] },
	}
}

// enumerate writes "a, b or c".
func enumerate(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// nearest is the word that a misspelt one was probably meant to be; empty if none is near.
func nearest(misspelt string, words []string) string {
	best, least := "", max(2, len(misspelt)/3)+1
	for _, word := range words {
		if d := levenshtein.ComputeDistance(strings.ToLower(misspelt), strings.ToLower(word)); d < least {
			best, least = word, d
		}
	}
	return best
}

// meant is the end of a sentence about something misspelt.
func meant(nearest string) string {
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", nearest)
}

package runtime

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// cut splits text that arrives in the given chunks.
func cut(chunks ...string) []string {
	var got []string
	l := lines{emit: func(line string) { got = append(got, line) }}
	for _, c := range chunks {
		l.Write([]byte(c))
	}
	l.Close()
	return got
}

func TestLinesAreCutAtNewlines(t *testing.T) {
	full := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		name       string
		in, expect []string
	}{
		{"nothing is no line", nil, nil},
		{"an empty line is a line", []string{"\n\n"}, []string{"", ""}},
		{"the last line needs no newline", []string{"a\nb"}, []string{"a", "b"}},
		{"a line may arrive in pieces", []string{"a", "b", "\nc\n"}, []string{"ab", "c"}},
		{"64 KiB is one line", []string{full, "\n"}, []string{full}},
		{"one byte more is two", []string{full, "y\n"}, []string{full, "y"}},
		{"a long line loses nothing", []string{full + full + "z"}, []string{full, full, "z"}},
		{"no character is cut in two", []string{full[1:] + "é\n"}, []string{full[1:], "é"}},
		{"invalid UTF-8 is replaced", []string{"a\xff\xfeb\n"}, []string{"a\uFFFDb"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.expect, cut(c.in...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesDoNotDependOnHowTheyArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.SliceOf(rapid.OneOf(
			rapid.StringMatching(`[aé\n]{0,9}`),
			rapid.Custom(func(t *rapid.T) string {
				return strings.Repeat("ö", rapid.IntRange(1, maxLine).Draw(t, "length"))
			}),
		)).Draw(t, "chunks")
		whole := strings.Join(chunks, "")
		got := cut(chunks...)
		if diff := cmp.Diff(cut(whole), got); diff != "" {
			t.Fatal(diff)
		}
		for _, line := range got {
			if len(line) > maxLine || !utf8.ValidString(line) || strings.Contains(line, "\n") {
				t.Fatalf("a line of %d bytes, valid: %v", len(line), utf8.ValidString(line))
			}
		}
		if a, b := strings.Join(got, ""), strings.ReplaceAll(whole, "\n", ""); a != b {
			t.Fatalf("%d bytes became %d", len(b), len(a))
		}
	})
}

package view

import "testing"

func TestColumnsAreThoseOfATerminal(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "漢字": 4, "…█░": 3, "😀": 2, "ﾊﾝ": 2, "Ａ": 2, "\u200b": 0} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestWideTextsAreCutAndBrokenWhereTheyFit(t *testing.T) {
	terminal := Terminal{Unicode: true}
	for _, c := range []struct {
		text  string
		width int
		cut   string
		wrap  []string
	}{
		{"漢字漢字", 8, "漢字漢字", []string{"漢字漢字"}}, {"漢字漢字", 6, "漢字…", []string{"漢字漢", "字"}}, {"漢字漢字", 5, "漢字…", []string{"漢字", "漢字"}},
		{"漢字", 2, "?…", []string{"漢", "字"}}, {"漢字", 1, "…", []string{"?", "?"}}, {"a 漢 b", 4, "a …", []string{"a 漢", "b"}},
	} {
		if got := terminal.cut(c.text, c.width); got != c.cut {
			t.Errorf("%q is cut to %d columns as %q, want %q", c.text, c.width, got, c.cut)
		}
		got := wrap(c.text, c.width)
		if len(got) != len(c.wrap) {
			t.Errorf("%q is broken into %q, want %q", c.text, got, c.wrap)
			continue
		}
		for i := range got {
			if got[i] != c.wrap[i] {
				t.Errorf("%q is broken into %q, want %q", c.text, got, c.wrap)
			}
		}
	}
}

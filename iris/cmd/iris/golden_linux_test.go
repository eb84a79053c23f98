package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// What verbs write: in a pipe, as JSON, and on a narrow and on a wide terminal. Renew with -rewrite.
func TestVerbsWriteAsEver(t *testing.T) {
	t.Parallel()
	s := at(t, played{}.serve(t))
	datadriven.RunTest(t, "testdata/verbs", func(t *testing.T, d *datadriven.TestData) string {
		var got result
		args := strings.Fields(d.Input)
		switch d.Cmd {
		case "pipe":
			got = s.run(args...)
		case "terminal":
			var columns int
			d.ScanArgs(t, "width", &columns)
			run, _ := s.onTerminal(uint16(columns), args...)
			got = run.wait()
			for line := range strings.Lines(got.out) {
				if !strings.HasPrefix(escapes.ReplaceAllString(line, ""), "    iris ") { // that is to be copied
					fits(t, columns, line)
				}
			}
			if strings.ContainsAny(escapes.ReplaceAllString(got.out, ""), "\x1b\x07\u202e\u2066") {
				t.Errorf("what names say plays with the terminal: %q", got.out)
			}
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		text := strings.NewReplacer("\r\n", "\n", "\x1b", "ESC").Replace(got.out + got.err)
		for _, r := range [...][2]string{
			{`"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]*Z"`, `"INSTANT"`}, {`(?m)^(ESC\[1m)?[0-9:]{8}  `, `${1}CLOCK     `}, {`127\.0\.0\.1:[0-9]{4,5}`, `ADDRESS`},
		} {
			text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
		}
		if got.code != 0 {
			text += "exit code " + string(rune('0'+got.code)) + "\n"
		}
		return text
	})
}

package daemon

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// eachLine hands out the lines of a stream until its end; also a last one that does not end.
func eachLine(r io.Reader, heard func(line string)) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			heard(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				heard("(what it says further is lost: " + err.Error() + ")")
			}
			return
		}
	}
}

package sshvm

import (
	"io"
	"strings"
	"testing"
)

// What a host answers is copied as the connection does it: by whatever way there is to fill a writer.
func TestAHostThatAnswersWithoutEndFillsNoMemory(t *testing.T) {
	const begin, all = "iris-host: seen\n", 2 * answerMost
	var said limited
	stream := io.LimitReader(strings.NewReader(begin+strings.Repeat("x", all)), all) // no more than a reader, as a channel is
	if n, err := io.Copy(&said, stream); n != all || err != nil {
		t.Errorf("it took %d bytes of %d, %v", n, all, err)
	}
	if kept := said.String(); len(kept) != answerMost || !strings.HasPrefix(kept, begin) {
		t.Errorf("it kept %d bytes, which begin with %.20q; want the first %d", len(kept), kept, answerMost)
	}
}

package dashboard

import (
	"bytes"
	"net/http"
	"time"
)

// eventStream is what who follows a page accepts.
const eventStream = "text/event-stream"

// sendTimeout is how long a reader may take nothing before it is let go.
const sendTimeout = 10 * time.Second

// event is one of the server-sent events of a stream. An id says where to go on if the connection ends.
type event struct {
	name string
	id   string
	data []byte
}

// events writes a stream of them.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// newEvents begins a stream, whose request may last. Its reader is told at once that it is there.
func newEvents(w http.ResponseWriter) (events, error) {
	e := events{w, http.NewResponseController(w)}
	if err := e.control.SetReadDeadline(time.Time{}); err != nil { // that of the request
		return e, err
	}
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("X-Accel-Buffering", "no") // a proxy passes on each event at once
	return e, e.beat()
}

func (e events) send(v event) error {
	var out bytes.Buffer
	out.WriteString("event: " + v.name + "\n")
	if v.id != "" {
		out.WriteString("id: " + v.id + "\n")
	}
	for line := range bytes.SplitSeq(v.data, []byte("\n")) {
		out.WriteString("data: ")
		out.Write(bytes.TrimSuffix(line, []byte("\r")))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	return e.write(out.Bytes())
}

// beat says that the stream is there.
func (e events) beat() error { return e.write([]byte(": still here\n\n")) }

func (e events) write(text []byte) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return e.control.Flush()
}

package main

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"

	"iris/iris/follow"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// A verb that writes JSON as it goes writes one object a line, each with one key that says what it is:
//
//	{"status": JobStatus}                                              job run, attach, stop
//	{"log": {"task": 0, "attempt": 0, "worker": "w-0", "line": LogLine}}       job run, attach, logs
//	{"failure": {"task": 0, "attempt": TaskAttempt, "lines": [LogLine…]}}      job run, attach: what made the job fail

// event is a message as a line.
func event(kind string, m proto.Message) string { return encode(map[string]any{kind: raw(m)}) }

type logged struct {
	Task    int             `json:"task"`
	Attempt int             `json:"attempt"`
	Worker  string          `json:"worker"`
	Line    json.RawMessage `json:"line"`
}

func logEvent(from follow.Source, line *pb.LogLine) string {
	return encode(map[string]any{"log": logged{from.Task, from.Attempt, from.Worker, raw(line)}})
}

type failed struct {
	Task    int               `json:"task"`
	Attempt json.RawMessage   `json:"attempt"`
	Lines   []json.RawMessage `json:"lines"`
}

func failureEvent(f *failure) string {
	lines := []json.RawMessage{}
	for _, line := range f.lines {
		lines = append(lines, raw(line))
	}
	return encode(map[string]any{"failure": failed{int(f.task.TaskIndex), raw(f.attempt), lines}})
}

func raw(m proto.Message) json.RawMessage {
	text, err := view.Raw(m)
	if err != nil {
		panic(err) // a message that came over the wire can be written
	}
	return text
}

func encode(object any) string {
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // made of texts and numbers only
	}
	return string(text)
}

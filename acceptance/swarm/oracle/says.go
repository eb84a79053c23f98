package oracle

import (
	"strconv"
	"strings"
	"time"

	"iris/iris/state"
)

// This file reads errors. They are what users act on, so what they say must be true.

// ofTask reads "task 3" and a separator, and returns what follows.
func ofTask(text, separator string) (task int, rest string, ok bool) {
	text, named := strings.CutPrefix(text, "task ")
	number, rest, ok := strings.Cut(text, separator)
	if !named || !ok {
		return 0, "", false
	}
	task, err := strconv.Atoi(number)
	return task, rest, err == nil && task >= 0
}

// saysJobEnded reads "its job ended FAILED".
func saysJobEnded(text string, s state.State) bool {
	name, ok := strings.CutPrefix(text, "its job ended ")
	return ok && name == s.String()
}

// saysParentEnded reads "its parent job j-1 ended FAILED".
func saysParentEnded(text, parent string) bool {
	text, ok := strings.CutPrefix(text, "its parent job ")
	text, is := strings.CutPrefix(text, parent)
	return ok && is && strings.HasPrefix(text, " ended ")
}

// saysDuration reads a duration after a prefix, up to ": " if there is one.
func saysDuration(text, prefix string, want time.Duration) bool {
	text, ok := strings.CutPrefix(text, prefix)
	text, _, _ = strings.Cut(text, ": ")
	d, err := time.ParseDuration(text)
	return ok && err == nil && d == want
}

// saysOtherExit reads "exit code 3" and reports whether it is another code, or one that is no failure.
func saysOtherExit(text string, code int) bool {
	text, ok := strings.CutPrefix(text, "exit code ")
	text, _, _ = strings.Cut(text, ":")
	said, err := strconv.Atoi(text)
	return ok && err == nil && (said != code || code == 0)
}

// saysWorker reads "dispatch to w-1 failed …".
func saysWorker(text, worker string) bool {
	text, ok := strings.CutPrefix(text, "dispatch to ")
	text, is := strings.CutPrefix(text, worker)
	return ok && is && strings.HasPrefix(text, " failed")
}

// saysNeverBegan reads "101 attempts ended before they began, the last one: lost worker w-0".
func saysNeverBegan(text string, n int, last string) bool {
	number, text, ok := strings.Cut(text, " attempts ended before they began, the last one: ")
	said, err := strconv.Atoi(number)
	return ok && err == nil && said == n && text == last
}

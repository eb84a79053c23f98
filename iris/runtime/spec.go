package runtime

import (
	"context"
	"time"
)

// The names of the two streams a Spec's Log is given.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Spec is everything a runtime needs to run one attempt. A runtime reads the fields that concern it and
// neither changes nor keeps the slices and maps of its caller.
type Spec struct {
	// UID is the attempt's uid, for the texts of errors.
	UID string

	// Argv is a Process's command line. A name without a slash is looked up in the task's PATH, a relative one
	// with a slash starts in Dir.
	Argv []string

	// Func is the registered name of a Func's function, Args are its arguments.
	Func string
	Args []string

	// Env is the task's environment. A Process adds it to PATH, HOME, LANG, TMPDIR, USER and TZ of the worker,
	// the only variables that are inherited: a worker's secrets are not its tasks' (FM-86).
	Env map[string]string

	// Inherited is what a Process adds Env to if its own process is not the worker. Nil: it is.
	Inherited map[string]string

	// Dir is the working directory. Empty, a Process runs in the worker's; a Func is only told.
	Dir string

	// Log receives each line, without its newline, as text in valid UTF-8; a line beyond 64 KiB arrives in
	// pieces. Calls for one stream are in order and never overlap; the two streams of a Process may call at
	// the same time. It is not called after Done is closed. An attempt waits for a slow Log, so that no line
	// is lost. Never nil.
	Log func(stream, line string)
}

// Runtime starts attempts. Both implementations are safe for concurrent use.
type Runtime interface {
	// Start runs s. ctx bounds the start alone: its end does not stop a task that was started. An error says
	// what could not be started, and that nothing runs.
	Start(ctx context.Context, s Spec) (Task, error)
}

// Task is a started attempt. Its methods are safe for concurrent use.
type Task interface {
	// Done is closed when the attempt and all its children are gone and its last line has been logged.
	Done() <-chan struct{}

	// Exit says how it ended. Valid once Done is closed.
	Exit() Exit

	// Stop asks the attempt to end (SIGTERM, a cancelled context) and after grace forces it to (SIGKILL to the
	// whole group). It returns at once. Of several calls the earliest deadline counts: a later call can
	// shorten the grace, never lengthen it. With grace <= 0 force is used at once. After the end it does
	// nothing.
	Stop(grace time.Duration)
}

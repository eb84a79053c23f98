package journal

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLog is the log of raft and raft-wal on slog, for those who look for a fault in them: they tell everything
// again and again, and call an error what they retry. What an operator must know, the journal tells itself.
type raftLog struct {
	to    *slog.Logger
	quiet func() bool // whether nothing is to be told any more: a journal that is over has nothing to say
	args  []any
	name  string
}

func newRaftLog(to *slog.Logger, quiet func() bool) hclog.Logger {
	return &raftLog{to: to, quiet: quiet}
}

// Log tells on level debug, whatever raft thinks of it.
func (l *raftLog) Log(level hclog.Level, text string, args ...any) {
	if l.quiet() || !l.IsDebug() {
		return
	}
	for i, arg := range args {
		if f, ok := arg.(hclog.Format); ok {
			args[i] = fmt.Sprintf(f[0].(string), f[1:]...)
		}
	}
	l.to.Log(context.Background(), slog.LevelDebug, "raft: "+text, append(args, "level of raft", level)...)
}

func (l *raftLog) Trace(text string, args ...any) { l.Log(hclog.Trace, text, args...) }
func (l *raftLog) Debug(text string, args ...any) { l.Log(hclog.Debug, text, args...) }
func (l *raftLog) Info(text string, args ...any)  { l.Log(hclog.Info, text, args...) }
func (l *raftLog) Warn(text string, args ...any)  { l.Log(hclog.Warn, text, args...) }
func (l *raftLog) Error(text string, args ...any) { l.Log(hclog.Error, text, args...) }

func (l *raftLog) IsTrace() bool { return l.IsDebug() }
func (l *raftLog) IsDebug() bool { return l.to.Enabled(context.Background(), slog.LevelDebug) }
func (l *raftLog) IsInfo() bool  { return l.IsDebug() }
func (l *raftLog) IsWarn() bool  { return l.IsDebug() }
func (l *raftLog) IsError() bool { return l.IsDebug() }

func (l *raftLog) ImpliedArgs() []any { return l.args }
func (l *raftLog) Name() string       { return l.name }

func (l *raftLog) With(args ...any) hclog.Logger {
	with := *l
	with.to, with.args = l.to.With(args...), append(l.args[:len(l.args):len(l.args)], args...)
	return &with
}

func (l *raftLog) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l *raftLog) ResetNamed(name string) hclog.Logger {
	named := *l
	named.name = name
	return &named
}

// SetLevel does nothing: the level is the slog handler's.
func (l *raftLog) SetLevel(hclog.Level) {}

// GetLevel is the lowest level that is told.
func (l *raftLog) GetLevel() hclog.Level {
	if l.IsDebug() {
		return hclog.Debug
	}
	return hclog.Off
}

func (l *raftLog) StandardLogger(options *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(options), "", 0)
}

// StandardWriter tells each line that is written as of level debug.
func (l *raftLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return slog.NewLogLogger(l.to.Handler(), slog.LevelDebug).Writer()
}

package main

import (
	"io"
	"log/slog"

	"github.com/spf13/pflag"

	"iris/iris/settings"
)

// logFlags are how a daemon logs, which it does on standard error.
type logFlags struct {
	level, format string
}

func (f *logFlags) add(flags *pflag.FlagSet) {
	settings.Var(flags, &f.level, "log-level", "log from this level on: debug, info, warn or error",
		settings.Choice("level", "debug", "info", "warn", "error"))
	settings.Var(flags, &f.format, "log-format", "how log lines are written: text or json",
		settings.Choice("format", "text", "json"))
}

func (f *logFlags) logger(to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[f.level]}
	if f.format == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// arguments are the flags with which another process logs alike.
func (f *logFlags) arguments() []string {
	return []string{"--log-level=" + f.level, "--log-format=" + f.format}
}

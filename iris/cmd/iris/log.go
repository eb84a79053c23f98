package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// logFlags are how a daemon logs, which it does on standard error.
type logFlags struct {
	level, format string
}

func (f *logFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.level, "log-level", "info", "log from this level on: debug, info, warn or error")
	flags.StringVar(&f.format, "log-format", "text", "how log lines are written: text or json")
}

func (f *logFlags) logger(to io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return nil, usageError{fmt.Errorf("flag --log-level: %q is not debug, info, warn or error", f.level)}
	}
	options.Level = level
	switch f.format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, usageError{fmt.Errorf("flag --log-format: %q is not text or json", f.format)}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"iris/iris/settings"
	"iris/iris/view"
)

// app is what all verbs have of the world around them.
type app struct {
	in       io.Reader
	out, err io.Writer
	settings settings.Sources
	now      func() time.Time
}

func newApp() *app {
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now,
		settings: settings.Sources{Files: []string{"/etc/iris/iris.yaml"}, Lookup: lookup},
	}
	if home, err := os.UserHomeDir(); err == nil { // without a home there is no file in it
		a.settings.Files = append(a.settings.Files, filepath.Join(home, ".config", "iris", "iris.yaml"))
	}
	return a
}

// lookup reads the environment. In a task, where the worker says who controls it, a command asks the same controllers.
func lookup(name string) (string, bool) {
	value, ok := os.LookupEnv(name)
	if !ok && name == settings.Variable("controller") {
		return os.LookupEnv("IRIS_CONTROLLER_ADDRESS")
	}
	return value, ok
}

// run executes one command line, says on standard error what went wrong and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.As(err, &silent{}) {
		for line := range strings.SplitSeq(words(err), "\n") {
			fmt.Fprintf(a.err, "iris: %s\n", line)
		}
	}
	return exitCode(err)
}

// terminal is what a stream can do.
func (a *app) terminal(stream io.Writer) view.Terminal {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return view.Terminal{Unicode: true}
	}
	t := view.Terminal{Width: 80, Live: a.variable("TERM") != "dumb" && a.variable("TERM") != ""}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		t.Width = width
	}
	t.Colour = t.Live && a.variable("NO_COLOR") == ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first one that is set decides
		if locale := strings.ToUpper(a.variable(name)); locale != "" {
			t.Unicode = strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8")
			break
		}
	}
	return t
}

// rows is how high the terminal is that a stream is; 24 if that is not known.
func (a *app) rows(stream io.Writer) int {
	if file, ok := stream.(*os.File); ok {
		if _, height, err := term.GetSize(int(file.Fd())); err == nil && height > 0 {
			return height
		}
	}
	return 24
}

func (a *app) variable(name string) string {
	value, _ := a.settings.Lookup(name)
	return value
}

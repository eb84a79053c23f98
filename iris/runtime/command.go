package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// inherited are the only variables a command gets from the worker.
var inherited = []string{"PATH", "HOME", "LANG", "TMPDIR", "USER", "TZ"}

// command is what execve is to be given, and where.
type command struct {
	path string
	argv []string
	env  []string
	dir  string // empty: the worker's
}

func newCommand(s Spec) (*command, error) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return nil, errors.New("the command line is empty")
	}
	if s.Dir != "" {
		if info, err := os.Stat(s.Dir); err != nil {
			return nil, fmt.Errorf("its working directory: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("its working directory %s is a file", s.Dir)
		}
	}
	env, err := environment(s)
	if err != nil {
		return nil, err
	}
	path, err := find(s.Argv[0], s.Dir, env["PATH"])
	if _, own := s.Env["PATH"]; errors.Is(err, exec.ErrNotFound) && !own {
		return nil, fmt.Errorf("%w (PATH is %q)", err, env["PATH"])
	}
	if err != nil {
		return nil, err // the task's own PATH is not shown, nor is any other value of its environment (FM-86)
	}
	c := &command{path: path, argv: s.Argv, env: make([]string, 0, len(env)), dir: s.Dir}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.env = append(c.env, name+"="+env[name])
	}
	return c, nil
}

func environment(s Spec) (map[string]string, error) {
	env := maps.Clone(s.Inherited)
	if env == nil {
		env = Inherited()
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			name, _, _ = strings.Cut(strings.ReplaceAll(name, "\x00", "="), "=") // what follows may be a value in the wrong place (FM-86)
			return nil, fmt.Errorf("its environment variable %q: a name must not be empty or contain '=', "+
				"nor name or value a NUL byte", name)
		}
		env[name] = value
	}
	return env, nil
}

// Inherited is what a task gets of this process's environment: PATH, HOME, LANG, TMPDIR, USER and TZ, as far as they are
// set.
func Inherited() map[string]string {
	env := make(map[string]string, len(inherited))
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	return env
}

// find looks a command up as the task's shell would: in the task's PATH, not the worker's, and seen from the
// task's working directory.
func find(name, dir, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // exec itself says what is wrong with it
	}
	var denied error
	for _, folder := range filepath.SplitList(path) {
		file := filepath.Join(folder, name)
		if !filepath.IsAbs(file) {
			file = "./" + file // seen from dir, where the command starts
		}
		info, err := os.Stat(inDir(dir, file))
		switch {
		case err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0:
			return file, nil
		case err == nil && info.Mode().IsRegular():
			denied = &fs.PathError{Op: "exec", Path: file, Err: fs.ErrPermission}
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("%q: %w", name, exec.ErrNotFound)
}

func inDir(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// quoted is the command line for an error text, cut where it gets long.
func quoted(argv []string) string {
	const most = 100
	text := fmt.Sprintf("%q", argv)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

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
	"syscall"
)

// inherited are the only variables a command gets from the worker.
var inherited = []string{"PATH", "HOME", "LANG", "TMPDIR", "USER", "TZ"}

// command builds what os/exec is to start, except for the streams. Standard input is empty.
func command(s Spec) (*exec.Cmd, error) {
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
	env, err := environment(s.Env)
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
	cmd := &exec.Cmd{Path: path, Args: s.Argv, Dir: s.Dir, Env: []string{}, SysProcAttr: attributes()}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	return cmd, nil
}

// attributes put the command into a group of its own, tied to the worker where the system can do that.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(a)
	return a
}

func environment(task map[string]string) (map[string]string, error) {
	env := make(map[string]string, len(task)+len(inherited))
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for name, value := range task {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			name, _, _ = strings.Cut(strings.ReplaceAll(name, "\x00", "="), "=") // what follows may be a value in the wrong place (FM-86)
			return nil, fmt.Errorf("its environment variable %q: a name must not be empty or contain '=', "+
				"nor name or value a NUL byte", name)
		}
		env[name] = value
	}
	return env, nil
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

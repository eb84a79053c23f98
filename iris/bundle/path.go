package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ErrUnsafe is wrapped when an archive, or a workspace to be packed, holds what could reach outside it or means
// different things on different systems.
var ErrUnsafe = errors.New("unsafe bundle")

func unsafe(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsafe, fmt.Sprintf(format, args...))
}

// checkName accepts the slash-separated relative path of a file, in UTF-8 and in its shortest form.
func checkName(name string) error {
	if name == "." || !fs.ValidPath(name) || !portable(name) {
		return unsafe("%q is not a plain relative path without \"..\", backslash or drive letter", name)
	}
	return nil
}

// cleanTarget accepts the target of the link name if it stays inside, and returns it in its shortest form. Steps
// up are allowed at its beginning only: there they start from the link's own directory, which is a real one.
// Later on they would start from wherever another link leads.
func cleanTarget(name, target string) (string, error) {
	clean := path.Clean(target)
	inside := path.Join(path.Dir(name), clean)
	switch {
	case target == "", path.IsAbs(target), !portable(target), inside == "..", strings.HasPrefix(inside, "../"):
		return "", unsafe("link %q leads to %q, outside the workspace", name, target)
	case climbsBack(target):
		return "", unsafe("link %q leads to %q: \"..\" may only stand at the beginning", name, target)
	}
	return clean, nil
}

// climbsBack reports whether a ".." follows a name.
func climbsBack(target string) bool {
	named := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if named {
				return true
			}
		default:
			named = true
		}
	}
	return false
}

// portable refuses what another system would read as something else.
func portable(p string) bool {
	drive := len(p) >= 2 && p[1] == ':' && ('a' <= p[0]|0x20 && p[0]|0x20 <= 'z')
	return !drive && !strings.ContainsAny(p, "\\\x00")
}

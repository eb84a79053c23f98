package bundle

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// maxTarget is how long the target of a link may be, in bytes: what Linux allows for a path.
const maxTarget = 4096

// Unpack makes the workspace dir from the archive file. dir must be empty or not exist yet. If anything is
// wrong with the archive, dir is removed again; the error wraps ErrUnsafe, ErrLimit, or what archive/zip says
// about a damaged one.
func Unpack(archive, dir string, l Limits) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("unpacking a bundle: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = unpack(f, info.Size(), dir, l)
	}
	if err != nil {
		return fmt.Errorf("unpacking bundle %s to %s: %w", archive, dir, err)
	}
	return nil
}

func unpack(r io.ReaderAt, size int64, dir string, l Limits) error {
	c, err := readContents(r, size, l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if old, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(old) > 0 {
		return fmt.Errorf("the directory is not empty: it has %q", old[0].Name())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = errors.Join(c.write(root, l), root.Close())
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// write makes the directories, then the files in them, and the links last, so that there is no link yet that
// anything could be written through. root would refuse one that leads outside even then.
func (c *contents) write(root *os.Root, l Limits) error {
	for _, name := range slices.Sorted(maps.Keys(c.dirs)) {
		if err := root.Mkdir(name, 0o700); err != nil {
			return err
		}
		if err := root.Chmod(name, c.dirs[name].Perm()); err != nil { // whatever the umask
			return err
		}
	}
	left := l.TotalSize
	for _, f := range c.files {
		n, err := writeFile(root, f, min(left, l.FileSize))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		left -= n
	}
	for _, f := range c.links {
		if err := writeLink(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// writeFile unpacks a file of at most limit bytes and returns how many there were.
func writeFile(root *os.Root, f *zip.File, limit int64) (n int64, err error) {
	from, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	n, err = io.Copy(to, io.LimitReader(from, limit+1))
	switch {
	case n > limit:
		return n, tooLarge("more than the %d bytes that are left for it", limit)
	case err != nil:
		return n, err
	}
	return n, to.Chmod(f.Mode().Perm())
}

func writeLink(root *os.Root, f *zip.File) error {
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	target, err := io.ReadAll(io.LimitReader(from, maxTarget+1))
	switch {
	case len(target) > maxTarget:
		return unsafe("the target of the link has more than %d bytes", maxTarget)
	case err != nil:
		return err
	}
	clean, err := cleanTarget(f.Name, string(target))
	if err != nil {
		return err
	}
	return root.Symlink(clean, f.Name)
}

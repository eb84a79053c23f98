package bundle

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// packed is when every file of every bundle was last modified: the first moment a zip archive can name.
var packed = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Pack writes the workspace dir to w as a zip archive: files, directories and links in the order of their
// names, with their permission bits. Anything named .git is left out. A link is kept if it stays inside the
// workspace; one that leaves it, a device, a socket, a pipe, or a name that another system would read
// differently, is refused with ErrUnsafe.
func Pack(dir string, w io.Writer) error {
	if err := pack(dir, w); err != nil {
		return fmt.Errorf("packing workspace %s: %w", dir, err)
	}
	return nil
}

func pack(dir string, w io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()

	archive := zip.NewWriter(w)
	if err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case d.Name() == ".git" && d.IsDir():
			return fs.SkipDir
		case d.Name() == ".git": // of a worktree or a submodule
			return nil
		}
		return packEntry(archive, root, name)
	}); err != nil {
		return err
	}
	return archive.Close()
}

func packEntry(archive *zip.Writer, root *os.Root, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: name, Modified: packed}
	h.SetMode(info.Mode().Type() | info.Mode().Perm())
	switch info.Mode().Type() {
	case 0:
		h.Method = zip.Deflate
		return packFile(archive, h, root)
	case fs.ModeDir:
		h.Name += "/"
		h.SetMode(directoryMode(info.Mode()))
		_, err := archive.CreateHeader(h)
		return err
	case fs.ModeSymlink:
		h.SetMode(fs.ModeSymlink | 0o777) // systems differ in what they say here
		return packLink(archive, h, root)
	default:
		return unsafe("%q is neither a file, a directory nor a link (%v)", name, info.Mode())
	}
}

func packFile(archive *zip.Writer, h *zip.FileHeader, root *os.Root) error {
	from, err := root.Open(h.Name)
	if err != nil {
		return err
	}
	to, err := archive.CreateHeader(h)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	return errors.Join(err, from.Close())
}

func packLink(archive *zip.Writer, h *zip.FileHeader, root *os.Root) error {
	target, err := root.Readlink(h.Name)
	if err != nil {
		return err
	}
	clean, err := cleanTarget(h.Name, target)
	if err != nil {
		return err
	}
	to, err := archive.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, clean)
	return err
}

// directoryMode lets the owner in, always: a workspace must be fit to be filled, and to be removed.
func directoryMode(m fs.FileMode) fs.FileMode {
	return fs.ModeDir | m.Perm() | 0o700
}

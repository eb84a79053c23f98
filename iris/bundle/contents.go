package bundle

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"
)

// contents is what an archive says it holds, checked before a byte of it is written.
type contents struct {
	dirs  map[string]fs.FileMode // every directory, also those that are only implied
	files []*zip.File
	links []*zip.File
}

// readContents refuses every archive whose list of files is unsafe or too long. Sizes that the list gives are
// only good for refusing early: unpacking counts for itself.
func readContents(r io.ReaderAt, size int64, l Limits) (*contents, error) {
	if size > l.Archive {
		return nil, tooLarge("an archive of %d bytes, allowed are %d", size, l.Archive)
	}
	list := &budget{from: r, left: l.Files*512 + 1<<20} // a generous average, lest the list fills the memory
	archive, err := zip.NewReader(list, size)
	switch {
	case list.left < 0:
		return nil, tooLarge("the list of files alone takes %d bytes, %d files are allowed", l.Files*512, l.Files)
	case err != nil:
		return nil, err
	}
	list.left = math.MaxInt64 // each file has its own limits from here on

	c := &contents{dirs: make(map[string]fs.FileMode)}
	taken := make(map[string]bool) // what an entry of the archive has named
	var unpacked, compressed int64
	for _, f := range archive.File {
		if err := c.add(f, taken); err != nil {
			return nil, err
		}
		if n := int64(len(c.dirs) + len(c.files) + len(c.links)); n > l.Files {
			return nil, tooLarge("more than %d files", l.Files)
		}
		if f.UncompressedSize64 > uint64(l.FileSize) {
			return nil, tooLarge("%q has %d bytes, allowed are %d", f.Name, f.UncompressedSize64, l.FileSize)
		}
		if unpacked += int64(f.UncompressedSize64); unpacked > l.TotalSize {
			return nil, tooLarge("its files have more than %d bytes", l.TotalSize)
		}
		// Files that share their bytes would let a small archive keep the reader busy for ever.
		if f.CompressedSize64 > uint64(size-compressed) {
			return nil, unsafe("its files overlap")
		}
		compressed += int64(f.CompressedSize64)
	}
	return c, nil
}

func (c *contents) add(f *zip.File, taken map[string]bool) error {
	mode := f.Mode()
	name := f.Name
	if mode.IsDir() {
		name = strings.TrimSuffix(name, "/")
	}
	if err := checkName(name); err != nil {
		return err
	}
	if special := mode & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky); special != 0 {
		return unsafe("%q has special permissions (%v)", name, mode)
	}
	if taken[name] {
		return unsafe("%q is there twice", name)
	}
	taken[name] = true
	if err := c.addParents(name, taken); err != nil {
		return err
	}
	_, parent := c.dirs[name]
	switch {
	case mode.Type() == fs.ModeDir:
		c.dirs[name] = directoryMode(mode)
	case parent:
		return unsafe("%q is a directory and something else", name)
	case mode.Type() == 0:
		c.files = append(c.files, f)
	case mode.Type() == fs.ModeSymlink:
		c.links = append(c.links, f)
	default:
		return unsafe("%q is neither a file, a directory nor a link (%v)", name, mode)
	}
	return nil
}

// addParents adds the directories above name. That none of them is a file or a link is what keeps everything
// from being written through one.
func (c *contents) addParents(name string, taken map[string]bool) error {
	for p := path.Dir(name); p != "."; p = path.Dir(p) {
		if _, ok := c.dirs[p]; ok {
			return nil // and so are those above it
		}
		if taken[p] {
			return unsafe("%q is inside %q, which is not a directory", name, p)
		}
		c.dirs[p] = directoryMode(0o755)
	}
	return nil
}

var errBudget = errors.New("read more than allowed")

// budget fails reads beyond a number of bytes.
type budget struct {
	from io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errBudget
	}
	return b.from.ReadAt(p, off)
}

package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var small = Limits{Archive: 1 << 20, Files: 6, FileSize: 1000, TotalSize: 2500}

func TestUnpackKeepsWhatIsGood(t *testing.T) {
	bin := item{name: "bin/run", mode: 0o755, body: "#!/bin/sh"}
	packed := archive(t, bin, file("a", ""), folder("empty"), link("bin/a", "../a"), link("top", "bin/.."[:3]))
	path := filepath.Join(t.TempDir(), "b.zip")
	if err := os.WriteFile(path, packed, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "work")
	if err := Unpack(path, dir, DefaultLimits); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "-rw-r--r-- ", "empty": "drwxr-xr-x ", "top": "Lrwxrwxrwx bin",
		"bin": "drwxr-xr-x ", "bin/run": "-rwxr-xr-x #!/bin/sh", "bin/a": "Lrwxrwxrwx ../a",
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackRefusesWhatIsNot(t *testing.T) {
	big := strings.Repeat("0", 1001)
	full := strings.Repeat("0", 1000)
	for _, c := range []struct {
		name  string
		items []item
		want  error
		text  string // part of the error
	}{
		{"a path with ..", []item{file("../evil", "x")}, ErrUnsafe, `"../evil"`},
		{"a path with .. inside", []item{file("a/../../evil", "x")}, ErrUnsafe, `"a/../../evil"`},
		{"an absolute path", []item{file("/tmp/evil", "x")}, ErrUnsafe, `"/tmp/evil"`},
		{"a drive letter", []item{file("C:/evil", "x")}, ErrUnsafe, `"C:/evil"`},
		{"a backslash", []item{file(`..\evil`, "x")}, ErrUnsafe, `"..\\evil"`},
		{"an empty name", []item{file("", "x")}, ErrUnsafe, `""`},
		{"the directory itself", []item{folder(".")}, ErrUnsafe, `"."`},
		{"the root", []item{folder("")}, ErrUnsafe, `""`},
		{"a NUL byte", []item{file("a\x00b", "x")}, ErrUnsafe, `"a\x00b"`},
		{"an absolute link", []item{link("l", "/etc")}, ErrUnsafe, `outside`},
		{"a link outside", []item{link("d/l", "../../etc")}, ErrUnsafe, `outside`},
		{"a link to a drive", []item{link("l", "C:/x")}, ErrUnsafe, `outside`},
		{"a link to nothing", []item{link("l", "")}, ErrUnsafe, `outside`},
		{"a chain of links outside", []item{folder("a/b"), link("a/b/l", "../.."), link("m", "a/b/l/..")},
			ErrUnsafe, `".." may only stand at the beginning`},
		{"a file through a link", []item{link("l", "d"), folder("d"), file("l/evil", "x")}, ErrUnsafe, `inside "l"`},
		{"a file through a later link", []item{file("l/evil", "x"), link("l", "d")}, ErrUnsafe, `"l"`},
		{"a link through a link", []item{link("l", "d"), link("l/m", "..")}, ErrUnsafe, `inside "l"`},
		{"a file in a file", []item{file("a", "x"), file("a/b", "x")}, ErrUnsafe, `inside "a"`},
		{"a file twice", []item{file("a", "x"), file("a", "y")}, ErrUnsafe, `"a" is there twice`},
		{"a link, then a file", []item{link("a", "b"), file("a", "y")}, ErrUnsafe, `"a" is there twice`},
		{"a folder twice", []item{folder("a"), folder("a")}, ErrUnsafe, `"a" is there twice`},
		{"a file that is a folder", []item{file("a/b", "x"), file("a", "y")}, ErrUnsafe, `"a"`},
		{"setuid", []item{{name: "a", mode: fs.ModeSetuid | 0o755}}, ErrUnsafe, "special permissions"},
		{"setgid on a folder", []item{{name: "a/", mode: fs.ModeDir | fs.ModeSetgid | 0o755}},
			ErrUnsafe, "special permissions"},
		{"a device", []item{{name: "a", mode: fs.ModeDevice | 0o600}}, ErrUnsafe, "neither"},
		{"a pipe", []item{{name: "a", mode: fs.ModeNamedPipe | 0o600}}, ErrUnsafe, "neither"},
		{"a large file", []item{file("a", big)}, ErrLimit, `"a" has 1001 bytes, allowed are 1000`},
		{"a large file that says it is small", []item{{name: "a", body: big + big, lie: 5}}, zip.ErrFormat, "a: "},
		{"a large file in the size it says", []item{{name: "a", body: big, lie: 1000}}, zip.ErrFormat, "a: "},
		{"large files together", []item{file("a", full), file("b", full), file("c", full)}, ErrLimit, "more than 2500 bytes"},
		{"too many files", []item{folder("a"), file("b", ""), link("c", "a"), folder("d"), folder("e"), folder("f"),
			folder("g")}, ErrLimit, "more than 6 files"},
		{"too many implied folders", []item{file("a/b/c/d/e/f/g/h", "")}, ErrLimit, "more than 6 files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			write(t, filepath.Join(base, "bystander"), "untouched")
			packed := archive(t, c.items...)
			err := unpack(bytes.NewReader(packed), int64(len(packed)), filepath.Join(base, "work"), small)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v\nwant %v with %s", err, c.want, c.text)
			}
			if diff := cmp.Diff(map[string]string{"bystander": "-rw-r--r-- untouched"}, tree(t, base)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpackRefusesALinkWithAnEndlessTarget(t *testing.T) {
	packed := archive(t, link("l", strings.Repeat("a/", 2049)))
	err := unpack(bytes.NewReader(packed), int64(len(packed)), filepath.Join(t.TempDir(), "work"), DefaultLimits)
	if !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "more than 4096 bytes") {
		t.Errorf("got %v", err)
	}
}

// That archive/zip finds out when a file is larger than it says is not what the limits rest on.
func TestUnpackCountsForItself(t *testing.T) {
	packed := archive(t, file("a", "12345"))
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]error{5: nil, 4: ErrLimit, 0: ErrLimit} {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		n, err := writeFile(root, z.File[0], limit)
		if !errors.Is(err, want) || n != min(5, limit+1) {
			t.Errorf("limit %d: %d bytes, %v", limit, n, err)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUnpackRemovesWhatItHadWrittenBeforeTheError(t *testing.T) {
	packed := archive(t, file("good", "fine"), file("bad", "damaged"))
	at := bytes.LastIndex(packed, []byte("bad")) // in the list of files; its checksum is before its name
	packed[at-30]++
	dir := filepath.Join(t.TempDir(), "work")
	err := unpack(bytes.NewReader(packed), int64(len(packed)), dir, small)
	if !errors.Is(err, zip.ErrChecksum) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestUnpackRefusesFilesThatShareTheirBytes(t *testing.T) {
	packed := archive(t, file("a", strings.Repeat("0123456789", 90)), file("b", ""))
	// Both say that they have all bytes of the archive.
	for i := range packed {
		if bytes.HasPrefix(packed[i:], []byte("PK\x01\x02")) {
			binary.LittleEndian.PutUint32(packed[i+20:], uint32(len(packed)-60))
		}
	}
	err := unpack(bytes.NewReader(packed), int64(len(packed)), filepath.Join(t.TempDir(), "work"), small)
	if !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("got %v", err)
	}
}

func TestUnpackRefusesAListThatWouldFillTheMemory(t *testing.T) {
	var items []item
	for i := range 5000 {
		items = append(items, folder(fmt.Sprintf("%0300d", i)))
	}
	packed := archive(t, items...)
	l := small
	l.Archive = int64(len(packed))
	err := unpack(bytes.NewReader(packed), int64(len(packed)), filepath.Join(t.TempDir(), "work"), l)
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "the list of files alone") {
		t.Errorf("got %v", err)
	}
}

func TestUnpackRefusesALargeArchive(t *testing.T) {
	packed := archive(t, file("a", "x"))
	l := small
	l.Archive = int64(len(packed)) - 1
	err := unpack(bytes.NewReader(packed), int64(len(packed)), filepath.Join(t.TempDir(), "work"), l)
	if !errors.Is(err, ErrLimit) {
		t.Errorf("got %v", err)
	}
}

func TestUnpackTouchesNoDirectoryThatIsInUse(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mine"), "keep")
	packed := archive(t, file("a", "x"))
	err := unpack(bytes.NewReader(packed), int64(len(packed)), dir, small)
	if err == nil || err.Error() != `the directory is not empty: it has "mine"` {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(map[string]string{"mine": "-rw-r--r-- keep"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackSaysWhichArchiveIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.zip")
	write(t, path, "not a zip")
	if err := Unpack(path, t.TempDir(), small); !errors.Is(err, zip.ErrFormat) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := Unpack(path+"2", t.TempDir(), small); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// stays unpacks an archive next to a bystander and fails if anything but the workspace has changed, or if the
// workspace leads outside.
func stays(t *testing.T, packed []byte) {
	base := t.TempDir()
	write(t, filepath.Join(base, "bystander"), "untouched")
	dir := filepath.Join(base, "work")
	err := unpack(bytes.NewReader(packed), int64(len(packed)), dir, small)
	entries, readErr := os.ReadDir(base)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if body, _ := os.ReadFile(filepath.Join(base, "bystander")); string(body) != "untouched" {
		t.Fatalf("the bystander says %q", body)
	}
	if err != nil {
		if len(entries) != 1 {
			t.Fatalf("after %v there is %v", err, entries)
		}
		return
	}
	if len(entries) != 2 || entries[1].Name() != "work" {
		t.Fatalf("there is %v", entries)
	}
	var files, total int64
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		files++
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch info.Mode() &^ fs.ModePerm {
		case 0:
			total += info.Size()
		case fs.ModeDir:
		case fs.ModeSymlink:
			real, err := filepath.EvalSymlinks(path)
			if err == nil && real != dir && !strings.HasPrefix(real, dir+"/") {
				t.Fatalf("%s leads to %s", path, real)
			}
		default:
			t.Fatalf("%s is a %v", path, info.Mode())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if files > small.Files || total > small.TotalSize {
		t.Fatalf("%d files with %d bytes", files, total)
	}
}

// The fuzz targets write small files by the thousand: TMPDIR=/dev/shm makes them a hundred times as fast.

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file("a/b", "x"), folder("c"), link("c/l", "../a")))
	f.Add(archive(f, file("../evil", "x")))
	f.Add(archive(f, link("l", ".."), file("l/evil", "x")))
	f.Add(archive(f, item{name: "a", mode: 0o600, body: strings.Repeat("0", 5000), lie: 5}))
	f.Fuzz(stays)
}

func FuzzUnpackNames(f *testing.F) {
	f.Add("l", "..", "l/evil", "m", "l/../..")
	f.Add("a/b/l", "../..", "bystander", "m", "a/b/l/..")
	f.Add("a", "b", "A/c", "b", "..")
	f.Fuzz(func(t *testing.T, link1, target1, name, link2, target2 string) {
		for _, s := range []string{link1, target1, name, link2, target2} {
			if len(s) > 1000 {
				return
			}
		}
		stays(t, archive(t, link(link1, target1), link(link2, target2), file(name, "untouched?")))
		stays(t, archive(t, folder(link2), link(link1, target1), file(name, "untouched?")))
	})
}

package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func pack1(t testing.TB, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Pack(dir, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPackAndUnpackAreInverse(t *testing.T) {
	base := t.TempDir()
	name := rapid.StringMatching(`[a-cé ][a-c.]{0,2}`)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(0, 12).Draw(rt, "entries") {
			path := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(rt, "path"), "/")
			at := filepath.Join(dir, path)
			parent := filepath.Dir(at)
			if os.MkdirAll(parent, 0o755) != nil {
				continue // a file is there
			}
			if real, err := filepath.EvalSymlinks(parent); err != nil || real != parent {
				continue // so is a link
			}
			perm := fs.FileMode(rapid.IntRange(0, 0o777).Draw(rt, "perm"))
			switch rapid.IntRange(0, 2).Draw(rt, "kind") {
			case 0:
				body := rapid.SliceOf(rapid.Byte()).Draw(rt, "body")
				if f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
					f.Write(body)
					f.Chmod(perm | 0o400)
					f.Close()
				}
			case 1:
				if os.Mkdir(at, 0o700) == nil {
					os.Chmod(at, perm|0o700)
				}
			case 2:
				up := rapid.IntRange(0, strings.Count(path, "/")).Draw(rt, "up")
				os.Symlink(strings.Repeat("../", up)+name.Draw(rt, "target"), at)
			}
		}
		packed := pack1(t, dir)
		copied := dir + "-copy"
		if err := unpack(bytes.NewReader(packed), int64(len(packed)), copied, DefaultLimits); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(tree(t, dir), tree(t, copied)); diff != "" {
			rt.Fatal(diff)
		}
		if !bytes.Equal(packed, pack1(t, copied)) {
			rt.Fatal("the same tree packs to other bytes")
		}
	})
}

func TestPackDependsOnTheTreeAlone(t *testing.T) {
	var hashes []Hash
	for i, names := range [][]string{{"a", "b/c", "d"}, {"d", "b/c", "a"}} {
		dir := t.TempDir()
		for _, name := range names {
			path := filepath.Join(dir, name)
			write(t, path, "body of "+name)
			then := time.Now().Add(-time.Duration(i) * time.Hour)
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
		}
		hashes = append(hashes, Of(pack1(t, dir)))
	}
	if hashes[0] != hashes[1] {
		t.Error("the order or time of writing changes the bytes")
	}
}

func TestPackLeavesGitOut(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.py"), "print()")
	want := pack1(t, dir)
	write(t, filepath.Join(dir, ".git", "HEAD"), "ref: refs/heads/main")
	if !bytes.Equal(want, pack1(t, dir)) {
		t.Error("the folder .git is packed")
	}
	write(t, filepath.Join(dir, ".gitignore"), "*.o")
	if bytes.Equal(want, pack1(t, dir)) {
		t.Error("the file .gitignore is not packed")
	}
	want = pack1(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".git"), "gitdir: /home/me/repo/.git/worktrees/x")
	if !bytes.Equal(want, pack1(t, dir)) {
		t.Error("the file .git is packed")
	}
}

func TestPackRefusesWhatWouldNotArrive(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"an absolute link", func(dir string) error { return os.Symlink("/etc/passwd", dir+"/l") },
			`unsafe bundle: link "l" leads to "/etc/passwd", outside the workspace`},
		{"a link that leaves", func(dir string) error { return os.Symlink("../secret", dir+"/l") },
			`unsafe bundle: link "l" leads to "../secret", outside the workspace`},
		{"a link that climbs back", func(dir string) error { return os.Symlink("a/../b", dir+"/l") },
			`unsafe bundle: link "l" leads to "a/../b": ".." may only stand at the beginning`},
		{"a pipe", func(dir string) error { return syscall.Mkfifo(dir+"/p", 0o600) },
			`unsafe bundle: "p" is neither a file, a directory nor a link (prw-------)`},
		{"a backslash", func(dir string) error { return os.WriteFile(dir+`/a\b`, nil, 0o600) },
			`unsafe bundle: "a\\b" is not a plain relative path without "..", backslash or drive letter`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			err := Pack(dir, new(bytes.Buffer))
			if !errors.Is(err, ErrUnsafe) || err.Error() != "packing workspace "+dir+": "+c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestPackNeedsADirectory(t *testing.T) {
	if err := Pack(filepath.Join(t.TempDir(), "gone"), new(bytes.Buffer)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkPackUnpack(b *testing.B) {
	dir := b.TempDir()
	for i := range 200 {
		write(b, filepath.Join(dir, string(rune('a'+i%20)), strings.Repeat("f", 1+i/20)),
			strings.Repeat("a line of source code\n", 200))
	}
	to := filepath.Join(b.TempDir(), "to")
	for b.Loop() {
		packed := pack1(b, dir)
		if err := unpack(bytes.NewReader(packed), int64(len(packed)), to, DefaultLimits); err != nil {
			b.Fatal(err)
		}
		if err := os.RemoveAll(to); err != nil {
			b.Fatal(err)
		}
	}
}

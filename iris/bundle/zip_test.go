package bundle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// item is an entry of an archive that a test makes up.
type item struct {
	name string
	mode fs.FileMode
	body string // of a link: its target
	lie  uint64 // if not 0, the size it declares
}

func file(name, body string) item { return item{name: name, mode: 0o644, body: body} }
func folder(name string) item     { return item{name: name + "/", mode: fs.ModeDir | 0o755} }
func link(name, target string) item {
	return item{name: name, mode: fs.ModeSymlink | 0o777, body: target}
}

// archive writes the items in their order, however bad they are.
func archive(t testing.TB, items ...item) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, it := range items {
		h := &zip.FileHeader{Name: it.name}
		h.SetMode(it.mode)
		var content []byte
		if !strings.HasSuffix(it.name, "/") { // archive/zip writes no content for folders
			content = deflated(t, it.body)
			h.Method = zip.Deflate
			h.CRC32 = crc32.ChecksumIEEE([]byte(it.body))
			h.CompressedSize64 = uint64(len(content))
			h.UncompressedSize64 = cmp.Or(it.lie, uint64(len(it.body)))
		}
		raw, err := w.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func deflated(t testing.TB, body string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tree describes all that is below dir: type, permissions, and content or target.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var body []byte
		switch info.Mode().Type() {
		case 0:
			body, err = os.ReadFile(path)
		case fs.ModeSymlink:
			var target string
			target, err = os.Readlink(path)
			body = []byte(target)
		}
		got[strings.TrimPrefix(path, dir+"/")] = info.Mode().String() + " " + string(body)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func write(t testing.TB, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

package keeper

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

var quiet = slog.New(slog.DiscardHandler)

func texts(page *pb.FetchTaskLogsResponse) []string {
	var all []string
	for _, line := range page.GetLines() {
		all = append(all, line.Stream+" "+line.Text)
	}
	return all
}

func read(t rapid.TB, dir, uid string, start int64, limit int) (*pb.FetchTaskLogsResponse, bool) {
	t.Helper()
	page, end, err := readLog(dir, uid, start, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page, end
}

func TestALogIsReadPageByPage(t *testing.T) {
	dir := t.TempDir()
	l := &logFile{dir: dir, uid: "j/0/0"}
	if page, _ := read(t, dir, "j/0/0", 0, 10); page != nil {
		t.Errorf("what has written nothing has a log: %v", page)
	}
	before := time.Now().Add(-time.Second)
	for i := range 25 {
		l.add([]string{"stdout", "stderr"}[i%2], fmt.Sprintf("line %d\r of  25", i))
	}
	var got []string
	for start, end := int64(0), false; !end; {
		var page *pb.FetchTaskLogsResponse
		page, end = read(t, dir, "j/0/0", start, 10)
		if want := min(start+10, 25); page.NextLine != want || page.Dropped != 0 {
			t.Errorf("the page from %d has next %d, dropped %d", start, page.NextLine, page.Dropped)
		}
		if at := page.Lines[0].At.AsTime(); at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("it was written at %v", at)
		}
		got, start = append(got, texts(page)...), page.NextLine
	}
	for i, line := range got {
		if want := fmt.Sprintf("%s line %d\r of  25", []string{"stdout", "stderr"}[i%2], i); line != want {
			t.Errorf("line %d is %q, want %q", i, line, want)
		}
	}
	if page, end := read(t, dir, "j/0/0", 1<<40, 10); len(page.Lines) != 0 || page.NextLine != 25 || !end {
		t.Errorf("beyond the end is %v, %v", page, end)
	}
	if page, end := read(t, dir, "j/0/0", 0, 25); len(page.Lines) != 25 || !end {
		t.Errorf("the whole is %d lines, %v", len(page.Lines), end)
	}
}

// Whatever its lines are like, a log shows the last of them, at least as many as are promised, and none twice.
func TestALogKeepsItsLastLines(t *testing.T) {
	for name, c := range map[string]struct{ lines, size, least int }{
		"many short ones": {lines: 3*segmentLines + 7, size: 4, least: segmentLines},
		"few long ones":   {lines: 500, size: 60 << 10, least: segmentBytes / (61 << 10)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := &logFile{dir: dir, uid: "a"}
			for i := range c.lines {
				text := fmt.Sprint(i)
				l.add("stdout", text+strings.Repeat("x", c.size-len(text)%c.size))
			}
			size := l.close()
			page, end := read(t, dir, "a", 0, 2*segmentLines+1)
			if !end || page.NextLine != int64(c.lines) || page.Dropped != int64(c.lines-len(page.Lines)) || len(page.Lines) < c.least {
				t.Errorf("%d lines, dropped %d, next %d, end %v", len(page.Lines), page.Dropped, page.NextLine, end)
			}
			for i, line := range page.Lines {
				if want := fmt.Sprint(page.Dropped + int64(i)); !strings.HasPrefix(line.Text, want) {
					t.Fatalf("line %s begins with %.9q", want, line.Text)
				}
			}
			onDisk := int64(0)
			for n := range 2 {
				info, err := os.Stat(segment(dir, "a", n))
				if err != nil {
					t.Fatal(err)
				}
				onDisk += info.Size()
			}
			if onDisk != size || size > 2*(segmentBytes+70<<10) {
				t.Errorf("it says to take %d bytes and takes %d", size, onDisk)
			}
		})
	}
}

// full makes writing fail as a full disk does, until it is called again.
func (l *logFile) full(t rapid.TB) (room func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := l.file
	l.file = device
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		_ = device.Close()
		l.file = file
	}
}

func TestLinesThatDoNotFitOnTheDiskAreCounted(t *testing.T) {
	dir := t.TempDir()
	l := &logFile{dir: dir, uid: "a"}
	l.add("stdout", "one")
	room := l.full(t)
	l.add("stdout", "two")
	l.add("stderr", "three")
	room()
	l.add("stdout", "four")
	room = l.full(t)
	l.add("stdout", "five")
	room()
	l.close()
	l.add("stdout", "too late")
	page, _ := read(t, dir, "a", 0, 10)
	want := []string{"stdout one", "iris [2 lines lost: no space left on device]", "stdout four",
		"iris [1 lines lost: no space left on device]"}
	if diff := cmp.Diff(want, texts(page)); diff != "" {
		t.Error(diff)
	}
}

func TestALogWithoutAFolderLosesLinesUntilThereIsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	l := &logFile{dir: dir, uid: "a"}
	l.add("stdout", "one")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l.add("stdout", "two")
	page, _ := read(t, dir, "a", 0, 10)
	if diff := cmp.Diff([]string{"iris [1 lines lost: no such file or directory]", "stdout two"}, texts(page)); diff != "" {
		t.Error(diff)
	}
}

// A keeper that is killed while it writes leaves half a line, or half a segment.
func TestHalfALineIsNoLine(t *testing.T) {
	for text, want := range map[string][]string{
		"":        nil,
		"fir":     nil,
		"first 0": nil,
		"first 0\n2026-01-02T15:04:05Z stdout whole\n2026-01-02T15:04:05Z stdout ha": {"stdout whole"},
		"first 0\n2026-01-02T15:04:05Z stdout \n":                                    {"stdout "},
		"first 0\nnonsense\n": {`iris [a damaged line: "nonsense"]`},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(segment(dir, "a", 0), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		page, _ := read(t, dir, "a", 0, 10)
		if diff := cmp.Diff(want, texts(page)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// A reader may see the older segment as it was, and the newer one as it has become.
func TestASegmentThatDoesNotConnectIsDropped(t *testing.T) {
	dir := t.TempDir()
	for n, text := range []string{"first 0\n2026-01-02T15:04:05Z stdout old\n", "first 5\n2026-01-02T15:04:05Z stdout new\n"} {
		if err := os.WriteFile(segment(dir, "a", n), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page, _ := read(t, dir, "a", 0, 10)
	if diff := cmp.Diff([]string{"stdout new"}, texts(page)); diff != "" || page.Dropped != 5 || page.NextLine != 6 {
		t.Errorf("%v %s", page, diff)
	}
}

func TestLogsOfTheOldestAttemptsGo(t *testing.T) {
	dir := t.TempDir()
	write := func(d *logDir, uid string) {
		l := d.open(uid)
		l.add("stdout", uid)
		d.close(l)
	}
	d, err := newLogDir(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	runs := d.open("runs")
	runs.add("stdout", "x")
	d.close(d.open("silent")) // it takes no room
	write(d, "j/0")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(segment(dir, "j/0", 0), old, old); err != nil {
		t.Fatal(err)
	}
	d.close(runs)
	if d, err = newLogDir(dir, quiet); err != nil { // the next keeper knows their order
		t.Fatal(err)
	}
	for i := range logsCount {
		write(d, fmt.Sprintf("j/%d", i+1))
		write(d, fmt.Sprintf("j/%d", i+1)) // the same uid again, in another life of the cluster: it replaces the one before
	}
	for uid, want := range map[string]bool{"j/0": false, "runs": false, "j/1": true, fmt.Sprintf("j/%d", logsCount): true} {
		if page, _ := read(t, dir, uid, 0, 10); page != nil != want || page != nil && len(page.Lines) != 1 {
			t.Errorf("the log of %s is %v", uid, page)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != logsCount || len(d.finished) != logsCount {
		t.Errorf("%d files, %d known, %v", len(files), len(d.finished), err)
	}
	d.volume = logsVolume + 1 // all but the last can be too much
	write(d, "one more")
	if len(d.finished) != logsCount && d.volume > logsVolume {
		t.Errorf("%d are kept", len(d.finished))
	}
}

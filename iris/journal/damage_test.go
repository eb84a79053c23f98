package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Damaged files are refused, and left as they are, unless what is lost is the end of the log (FM-77).

// A specimen is the directory of a voter that has written a while, and what is in it.
type specimen struct {
	dir     string
	jobs    int
	full    []string // segments that are full, in order
	tail    string   // the segment that is written to
	batches []batch  // of the tail
}

// batch is where one write into a segment begins and ends, and how many jobs there are up to its end.
type batch struct{ from, commit, to, jobs int }

// small makes files small, so that a few jobs fill several.
func small(c *RaftConfig) {
	c.SegmentBytes, c.SnapshotEntries, c.TrailingEntries = 4<<10, 1<<30, 1
}

func unchanged(*RaftConfig) {}

// makeSpecimen lets a voter submit so many jobs, each in a write of its own, and take snapshots after some of them.
func makeSpecimen(t *testing.T, jobs int, edit settings, snapshots ...int) specimen {
	t.Helper()
	s := specimen{dir: quickDir(t), jobs: jobs}
	inBubble(t, func(t *testing.T) {
		r := alone(t, s.dir, small, edit)
		term := lead(t, r)
		for n := range jobs {
			submitAll(t, term, n, n+1)
			if slices.Contains(snapshots, n+1) {
				if err := r.raft.Snapshot().Error(); err != nil {
					t.Fatal(err)
				}
			}
		}
		closeAll(t, r)
	})
	segments, err := filepath.Glob(filepath.Join(s.dir, "log", "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("the log has the files %v (%v)", segments, err)
	}
	s.full, s.tail = segments[:len(segments)-1], segments[len(segments)-1]
	s.batches = batches(t, s.tail)
	last := &s.batches[len(s.batches)-1]
	for i := range s.batches {
		s.batches[i].jobs = jobs - (len(s.batches) - 1 - i)
	}
	if last.jobs != jobs || len(s.batches) < 5 {
		t.Fatalf("the last file has %d writes", len(s.batches))
	}
	return s
}

// batches finds the writes in a segment by its frames.
func batches(t testing.TB, path string) []batch {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []batch
	for from, at := 0, segmentHeader; at < len(b) && b[at] != 0; {
		if b[at] == commitFrame {
			all = append(all, batch{from: from, commit: at, to: at + 8})
			at += 8
			from = at
			continue
		}
		at += 8 + (int(binary.LittleEndian.Uint32(b[at+4:]))+7)/8*8
	}
	return all
}

// harm copies the specimen and does something to the copy.
func (s specimen) harm(t testing.TB, do func(in func(path string) string)) string {
	t.Helper()
	dir := quickDir(t)
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	do(func(path string) string { return strings.Replace(path, s.dir, dir, 1) })
	return dir
}

// outcome opens a journal in a directory and returns how many jobs it has, or why it does not open; then it must
// have left the files alone.
func outcome(t *testing.T, dir string) (jobs int, refused error) {
	t.Helper()
	before := contents(t, dir)
	inBubble(t, func(t *testing.T) {
		config := configure(t, dir, "c-0", (&mesh{}).join("c-0"), small)
		config.Log = quiet()
		r, err := OpenRaft(config)
		if err != nil {
			refused = err
			return
		}
		jobs = jobsOf(t, lead(t, r).State())
		closeAll(t, r)
	})
	if refused != nil {
		expectSame(t, before, contents(t, dir))
	}
	return jobs, refused
}

func (s specimen) expectJobs(t *testing.T, what string, dir string, want int) {
	t.Helper()
	if n, err := outcome(t, dir); err != nil {
		t.Errorf("%s: refused: %v", what, err)
	} else if n != want {
		t.Errorf("%s: %d jobs of %d are left, not %d", what, n, s.jobs, want)
	}
}

// expectRefusal wants a refusal that says which file is damaged.
func expectRefusal(t *testing.T, what, dir, path string) {
	t.Helper()
	n, err := outcome(t, dir)
	var damage *DamageError
	if !errors.As(err, &damage) {
		t.Errorf("%s: opened with %d jobs, or refused for something else: %v", what, n, err)
	} else if damage.Path != path || !strings.Contains(err.Error(), "restore the directory from a backup") {
		t.Errorf("%s: %s is to blame: %v", what, path, err)
	}
}

func mustWrite(t testing.TB, path string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 0x55; return b }
}

func keep(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func TestALogThatWasCutShortIsCutAtItsLastWrite(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	last := s.batches[len(s.batches)-3:]
	for at := last[0].from; at <= last[2].to+8; at++ {
		if at < last[2].from-8 && at%7 != 0 {
			continue
		}
		left := last[0].jobs - 1
		for _, b := range last {
			if b.to <= at {
				left = b.jobs
			}
		}
		dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(s.tail), keep(at)) })
		s.expectJobs(t, "cut at "+strconv.Itoa(at), dir, left)
	}
	// all of the file that is written to
	dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(s.tail), keep(0)) })
	s.expectJobs(t, "empty", dir, s.batches[0].jobs-1)
}

// A flipped byte in the last write costs that write, which cannot be told from one that a loss of power interrupted. In
// any other it is damage, except in the three bytes of the frames that end a write which nobody looks at.
func TestAFlippedByteInTheLastFile(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	last := s.batches[len(s.batches)-1]
	for _, b := range s.batches[len(s.batches)-2:] {
		for at := b.from; at < b.to; at++ {
			if b != last && at%3 != 0 && at < b.commit {
				continue
			}
			dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(s.tail), flip(at)) })
			what := "flipped at " + strconv.Itoa(at)
			switch {
			case b.commit < at && at < b.commit+4:
				s.expectJobs(t, what, dir, s.jobs)
			case b == last:
				s.expectJobs(t, what, dir, s.jobs-1)
			default:
				expectRefusal(t, what, dir, strings.Replace(s.tail, s.dir, dir, 1))
			}
		}
	}
	for at := 0; at < s.batches[len(s.batches)-3].to; at += 37 {
		b := s.batches[slices.IndexFunc(s.batches, func(b batch) bool { return at < b.to })]
		if b.commit < at && at < b.commit+4 {
			continue
		}
		dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(s.tail), flip(at)) })
		expectRefusal(t, "flipped at "+strconv.Itoa(at), dir, strings.Replace(s.tail, s.dir, dir, 1))
	}
	dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(s.tail), flip(last.to+100)) })
	s.expectJobs(t, "flipped where nothing was written", dir, s.jobs)
}

// A loss of power may leave any part of the last write on disk, page by page, and nothing of the rest.
func TestAWriteOfWhichOnlyPartsArrivedIsCut(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	last := s.batches[len(s.batches)-1]
	whole := contents(t, s.dir)[s.tail]
	for from := last.from; from < last.to; from += 8 {
		for to := from + 8; to <= last.to; to += 40 {
			dir := s.harm(t, func(in func(string) string) {
				mustWrite(t, in(s.tail), func(b []byte) []byte { clear(b[from:to]); return b })
			})
			want := s.jobs - 1
			if strings.Trim(whole[from:to], "\x00") == "" {
				want = s.jobs // nothing is lost
			}
			s.expectJobs(t, "lost "+strconv.Itoa(from)+" to "+strconv.Itoa(to), dir, want)
		}
	}
}

func TestAHoleInTheLastFileIsDamage(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	b := s.batches[len(s.batches)-4]
	for _, hole := range [][2]int{
		{b.from, b.to}, {b.from, b.from + 8}, {b.commit, b.to}, {b.from + 16, b.to + 64}, {0, 64},
	} {
		dir := s.harm(t, func(in func(string) string) {
			mustWrite(t, in(s.tail), func(b []byte) []byte { clear(b[hole[0]:hole[1]]); return b })
		})
		what := "a hole from " + strconv.Itoa(hole[0]) + " to " + strconv.Itoa(hole[1])
		expectRefusal(t, what, dir, strings.Replace(s.tail, s.dir, dir, 1))
	}
}

func TestAFullFileThatIsDamagedIsRefused(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	if len(s.full) < 2 {
		t.Fatalf("only %v are full", s.full)
	}
	full := s.full[len(s.full)-1]
	writes := batches(t, full)
	end := writes[len(writes)-1].to
	for at := 0; at < end; at += 29 {
		if b := writes[slices.IndexFunc(writes, func(b batch) bool { return at < b.to })]; b.commit < at && at < b.commit+4 {
			continue
		}
		dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(full), flip(at)) })
		expectRefusal(t, "flipped at "+strconv.Itoa(at), dir, strings.Replace(full, s.dir, dir, 1))
	}
	for _, n := range []int{0, 16, 100, end - 1} {
		dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(full), keep(n)) })
		expectRefusal(t, "cut at "+strconv.Itoa(n), dir, strings.Replace(full, s.dir, dir, 1))
	}
	for _, path := range append(s.full, s.tail) {
		dir := s.harm(t, func(in func(string) string) {
			if err := os.Remove(in(path)); err != nil {
				t.Fatal(err)
			}
		})
		expectRefusal(t, "without "+path, dir, strings.Replace(path, s.dir, dir, 1))
	}
	swapped := s.harm(t, func(in func(string) string) {
		b, err := os.ReadFile(in(s.full[0]))
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, in(full), func([]byte) []byte { return b })
	})
	expectRefusal(t, "the file of another segment", swapped, strings.Replace(full, s.dir, swapped, 1))
}

func TestOneCopyOfTheMetadataIsEnough(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged)
	path := paths{s.dir}.meta()
	for slot := range 2 {
		for at := slot * metaSlot; at < slot*metaSlot+800; at += 61 {
			dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(path), flip(at)) })
			s.expectJobs(t, "flipped at "+strconv.Itoa(at), dir, s.jobs)
			if _, _, mended, err := readMeta(paths{dir}.meta()); mended != nil || err != nil {
				t.Errorf("flipped at %d: the metadata are not mended: %v, %v", at, mended, err)
			}
		}
	}
	for _, n := range []int{metaSlot + 100, metaSlot, metaSlot - 1} {
		dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(path), keep(n)) })
		s.expectJobs(t, "cut at "+strconv.Itoa(n), dir, s.jobs)
	}
	for at := 0; at < 200; at += 17 {
		dir := s.harm(t, func(in func(string) string) {
			mustWrite(t, in(path), flip(at))
			mustWrite(t, in(path), flip(at+metaSlot))
		})
		expectRefusal(t, "flipped twice at "+strconv.Itoa(at), dir, paths{dir}.meta())
	}
	dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(path), keep(0)) })
	expectRefusal(t, "empty", dir, paths{dir}.meta())
	dir = s.harm(t, func(in func(string) string) {
		if err := os.Remove(in(path)); err != nil {
			t.Fatal(err)
		}
	})
	expectRefusal(t, "removed", dir, paths{dir}.meta())
}

func TestSnapshotsAndLogMustMatch(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged, 30, 60)
	found, err := check(paths{s.dir})
	if err != nil || len(found.snapshots) != 2 {
		t.Fatalf("%d snapshots, %v", len(found.snapshots), err)
	}
	newest, older := found.snapshots[0].path, found.snapshots[1].path
	if found.first > found.snapshots[0].index+1 || found.first <= found.snapshots[1].index {
		t.Fatalf("the log begins at %d, and the snapshots end at %d and %d", found.first, found.snapshots[1].index,
			found.snapshots[0].index)
	}
	for _, file := range []string{"state.bin", "meta.json"} {
		for at := 0; at < 200; at += 13 {
			dir := s.harm(t, func(in func(string) string) { mustWrite(t, in(filepath.Join(older, file)), flip(at)) })
			if n, err := outcome(t, dir); err != nil || n != s.jobs { // it is not needed
				t.Errorf("the older snapshot: %s flipped at %d: %d jobs, %v", file, at, n, err)
			}
			dir = s.harm(t, func(in func(string) string) { mustWrite(t, in(filepath.Join(newest, file)), flip(at)) })
			if file == "meta.json" {
				if n, err := outcome(t, dir); err == nil && n != s.jobs { // not every byte of it says something
					t.Errorf("the newest snapshot: %s flipped at %d: %d jobs, %v", file, at, n, err)
				}
				continue
			}
			what := "the newest snapshot: " + file + " flipped at " + strconv.Itoa(at)
			expectRefusal(t, what, dir, strings.Replace(newest, s.dir, dir, 1))
		}
	}
	for _, path := range []string{newest, filepath.Join(newest, "state.bin"), filepath.Join(newest, "meta.json")} {
		dir := s.harm(t, func(in func(string) string) {
			if err := os.RemoveAll(in(path)); err != nil {
				t.Fatal(err)
			}
		})
		want := strings.Replace(newest, s.dir, dir, 1)
		if path == newest {
			want = paths{dir}.log() // which begins where no snapshot ends
		}
		expectRefusal(t, "without "+path, dir, want)
	}
}

// A snapshot that is damaged can be done without as long as the log goes back to the one before, or to the beginning.
func TestTheLogStandsInForASnapshot(t *testing.T) {
	s := makeSpecimen(t, 90, func(c *RaftConfig) { c.TrailingEntries = 1000 }, 30, 60)
	found, err := check(paths{s.dir})
	if err != nil || len(found.snapshots) != 2 || found.first != 1 {
		t.Fatalf("%d snapshots, and a log from %d: %v", len(found.snapshots), found.first, err)
	}
	for damaged := 1; damaged <= 2; damaged++ {
		dir := s.harm(t, func(in func(string) string) {
			for _, snapshot := range found.snapshots[:damaged] {
				mustWrite(t, in(filepath.Join(snapshot.path, "state.bin")), flip(50))
			}
		})
		s.expectJobs(t, strconv.Itoa(damaged)+" snapshots are damaged", dir, s.jobs)
		aside, err := os.ReadDir(paths{dir}.damaged())
		if err != nil || len(aside) != damaged {
			t.Errorf("%d snapshots were moved aside, not %d: %v", len(aside), damaged, err)
		}
	}
	dir := s.harm(t, func(in func(string) string) { // and a log that ends before the snapshot
		mustWrite(t, in(filepath.Join(found.snapshots[0].path, "state.bin")), flip(50))
		for _, path := range append(s.full, s.tail) {
			if err := os.Remove(in(path)); err != nil {
				t.Fatal(err)
			}
		}
	})
	expectRefusal(t, "neither snapshot nor log", dir, strings.Replace(s.full[0], s.dir, dir, 1))
}

func TestFilesOfANewerVersionAreRefused(t *testing.T) {
	s := makeSpecimen(t, 90, unchanged, 80)
	refused := func(what, dir, path string) {
		t.Helper()
		n, err := outcome(t, dir)
		if err == nil || !errors.Is(err, errNewerFile) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %d jobs, %v", what, n, err)
		}
	}
	dir := s.harm(t, func(in func(string) string) {
		mustWrite(t, in(s.tail), func(b []byte) []byte { b[7]++; return b })
	})
	refused("a segment", dir, strings.Replace(s.tail, s.dir, dir, 1))

	dir = s.harm(t, func(in func(string) string) {
		mustWrite(t, in(paths{s.dir}.meta()), func(b []byte) []byte {
			for at := 0; at < len(b); at += metaSlot {
				header := b[at : at+metaHeader-4]
				binary.LittleEndian.PutUint32(header[len(metaMagic):], metaVersion+1)
				text := b[at+metaHeader:][:binary.LittleEndian.Uint32(header[len(metaMagic)+4:])]
				crc := crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, text)
				binary.LittleEndian.PutUint32(b[at+metaHeader-4:], crc)
			}
			return b
		})
	})
	refused("the metadata", dir, paths{dir}.meta())

	last := s.batches[len(s.batches)-2]
	dir = s.harm(t, func(in func(string) string) {
		mustWrite(t, in(s.tail), func(b []byte) []byte {
			at := last.from + bytes.Index(b[last.from:last.to], []byte(envelopeMagic))
			b[at+len(envelopeMagic)]++
			binary.LittleEndian.PutUint32(b[last.commit+4:], crc32.Checksum(b[last.from:last.commit], castagnoli))
			return b
		})
	})
	refused("an entry", dir, strings.Replace(s.tail, s.dir, dir, 1))
}

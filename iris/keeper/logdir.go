package keeper

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	logsName   = "logs"
	logsCount  = 1_000   // logs of finished attempts that are kept
	logsVolume = 1 << 30 // bytes of them
)

// logDir keeps the logs of attempts on disk, and bounds how many.
type logDir struct {
	path string
	log  *slog.Logger

	turn     chan struct{} // held by whoever uses the fields below
	finished []finishedLog // oldest first
	volume   int64
}

type finishedLog struct {
	uid  string
	size int64
	at   time.Time
}

// newLogDir opens the folder. Logs that are there already, of an earlier keeper, are finished.
func newLogDir(path string, log *slog.Logger) (*logDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	d := &logDir{path: path, log: log, turn: make(chan struct{}, 1)}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	found := map[string]*finishedLog{}
	for _, f := range files {
		name := f.Name()
		uid, err := url.PathUnescape(strings.TrimSuffix(name, filepath.Ext(name)))
		info, gone := f.Info()
		if err != nil || gone != nil {
			continue // none of ours
		}
		if found[uid] == nil {
			found[uid] = &finishedLog{uid: uid}
		}
		found[uid].size += info.Size()
		if at := info.ModTime(); at.After(found[uid].at) {
			found[uid].at = at
		}
	}
	for _, f := range found {
		d.finished = append(d.finished, *f)
		d.volume += f.size
	}
	slices.SortFunc(d.finished, func(a, b finishedLog) int { return a.at.Compare(b.at) })
	d.prune()
	return d, nil
}

// open begins an attempt's log.
func (d *logDir) open(uid string) *logFile { return &logFile{dir: d.path, uid: uid} }

// close ends an attempt's log, and drops the oldest ones beyond what is kept.
func (d *logDir) close(l *logFile) {
	size := l.close()
	if size == 0 {
		return
	}
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if l.replaces {
		d.finished = slices.DeleteFunc(d.finished, func(f finishedLog) bool {
			if f.uid != l.uid {
				return false
			}
			d.volume -= f.size
			return true
		})
	}
	d.finished = append(d.finished, finishedLog{uid: l.uid, size: size})
	d.volume += size
	d.prune()
}

func (d *logDir) prune() {
	for len(d.finished) > logsCount || d.volume > logsVolume && len(d.finished) > 1 {
		for n := range 2 {
			if err := os.Remove(segment(d.path, d.finished[0].uid, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				d.log.Warn("an old log is not removed", "attempt", d.finished[0].uid, "error", err)
			}
		}
		d.volume -= d.finished[0].size
		d.finished = d.finished[1:]
	}
}

package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// Config is what a keeper needs. Zero durations take the defaults named.
type Config struct {
	// Dir is the keeper's own folder; it is made, for this user alone.
	Dir string
	// Idle is how long a keeper waits for a worker when it holds nothing. Default 1 min.
	Idle time.Duration
	// Orphaned is how long it goes on without a worker when it holds something. Then it kills what runs: nobody is left
	// to ask for it. Default 15 min.
	Orphaned time.Duration
	// Ready is called once, when workers can attach.
	Ready func()
	// Log defaults to slog.Default.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Idle == 0 {
		c.Idle = time.Minute
	}
	if c.Orphaned == 0 {
		c.Orphaned = 15 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Ready == nil {
		c.Ready = func() {}
	}
}

const (
	socketName = "socket"
	lockName   = "lock"
	// The kernel has so many bytes for the path of a socket, and the zero that ends it.
	socketMost = 107

	lockPatience = 5 * time.Second  // with a keeper that is about to end
	gonePatience = 5 * time.Second  // with what is left of an earlier keeper, before workers can attach
	stopPatience = 10 * time.Second // with what was killed, before the keeper ends without it

	orderMost   = 48 << 20 // bytes of one: it carries what a job's spec does, twice
	messageMost = 64 << 20 // bytes
)

// ErrTaken is Run's error when the folder has a keeper already.
var ErrTaken = errors.New("it has a keeper already")

// Run is a keeper: it serves workers until it is not needed any more, a worker shuts it down, or ctx ends. In the latter
// two cases it kills what runs. It is to be the only thing that its process does.
func Run(ctx context.Context, config Config) (err error) {
	config.setDefaults()
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeper of %s: %w", config.Dir, err)
		}
	}()
	if err := prepare(config.Dir); err != nil {
		return err
	}
	lock, err := takeLock(ctx, filepath.Join(config.Dir, lockName), lockPatience)
	if err != nil {
		return err
	}
	defer lock.Close() // which is what releases it
	self, err := identify()
	if err != nil {
		return err
	}
	processes := runtime.NewProcess()
	k := newAttempts(processes)
	if k.logs, err = newLogDir(filepath.Join(config.Dir, logsName), config.Log); err != nil {
		return err
	}
	path := filepath.Join(config.Dir, recordName)
	before, err := readRecord(path, config.Log)
	if err != nil {
		return err
	}
	k.inherit(before, self, config.Log)
	if k.record, err = newRecord(path, config.Log, func() []entry { return k.entries(self) }); err != nil {
		return err
	}
	k.awaitGone(gonePatience)
	if err := k.serve(ctx, self, config); err != nil {
		return err
	}
	if !k.awaitEnd(stopPatience) {
		config.Log.Error("something does not die; the keeper ends without it")
		return nil
	}
	return errors.Join(processes.Close(), k.record.close(), k.tidy(path))
}

// prepare makes the folder this user's alone.
func prepare(dir string) error {
	if err := checkSocket(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

func checkSocket(dir string) error {
	if path := filepath.Join(dir, socketName); len(path) > socketMost {
		return fmt.Errorf("the path of its socket, %s, has %d bytes, and the system takes %d; "+
			"choose a data directory with a shorter path", path, len(path), socketMost)
	}
	return nil
}

// identify is what the record says of this keeper.
func identify() (identity, error) {
	id, leader, err := runtime.Self()
	if err != nil {
		return identity{}, err
	}
	boot, err := runtime.Boot()
	return identity{Boot: boot, Process: id, Leader: leader}, err
}

// serve lets workers attach for as long as the keeper is needed.
func (k *attempts) serve(ctx context.Context, self identity, config Config) error {
	socket := filepath.Join(config.Dir, socketName)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) { // an earlier keeper was killed
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := network.Server(
		grpc.MaxRecvMsgSize(messageMost), grpc.MaxSendMsgSize(messageMost),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveEvery / 2}))
	s := &service{attempts: k, self: self, name: uuid.NewString()}
	pb.RegisterKeeperServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	config.Log.Info("keeper is ready", "dir", config.Dir, "pid", self.Process.PID)
	config.Ready()
	why := k.needed(ctx, config)
	config.Log.Info("keeper ends", "dir", config.Dir, "because", why)
	server.Stop()
	s.sessions.Wait()
	return <-served
}

// needed returns when the keeper is not needed any more, and why. Whoever attaches later is refused.
func (k *attempts) needed(ctx context.Context, config Config) (why string) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		why, wait := k.judge(time.Now(), config)
		if why != "" {
			return why
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-k.moved:
		case <-ctx.Done():
			k.mu.Lock()
			k.close("its keeper was told to end")
			k.mu.Unlock()
			return "it was told to"
		}
	}
}

// judge says why the keeper is not needed any more, or how long it is at the least.
func (k *attempts) judge(now time.Time, config Config) (why string, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	limit, why := config.Orphaned, fmt.Sprintf("no worker came back for %v", config.Orphaned)
	if len(k.held) == 0 {
		limit, why = config.Idle, "it holds nothing"
	}
	switch {
	case k.closing:
		if k.live() {
			return "", time.Hour // the end of each is news
		}
		return "its worker was shut down", 0
	case k.session != nil:
		return "", time.Hour
	case now.Sub(k.alone) < limit:
		return "", limit - now.Sub(k.alone)
	}
	k.close(why)
	return why, 0
}

// live reports whether something runs.
func (k *attempts) live() bool {
	for _, a := range k.held {
		if !a.over() {
			return true
		}
	}
	return false
}

// awaitEnd waits until nothing runs, and reports whether it came to that.
func (k *attempts) awaitEnd(patience time.Duration) bool {
	gone := make(chan struct{})
	go func() { // it ends with the process, if not before
		k.all.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return true
	case <-time.After(patience):
		return false
	}
}

// tidy leaves a record only to who has something to learn from it.
func (k *attempts) tidy(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expiry.Stop()
	if len(k.held) > 0 {
		return nil
	}
	return os.Remove(path)
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"iris/chaos"
	"iris/iris/state"
)

// RaftConfig says where a durable journal keeps its log, and who it is to the other voters.
type RaftConfig struct {
	// Dir has the log and the snapshots. It is made if it does not exist. One process at a time uses it.
	Dir string
	// ID is the voter's name. It stays the voter's for as long as it has its directory.
	ID string
	// Address is where clients, workers and other voters reach this controller.
	Address string
	// Bootstrap makes a cluster of this one voter if the directory is empty. Otherwise an empty voter waits to be
	// added by the leader of a cluster that exists.
	Bootstrap bool
	// Policy is that of a new cluster.
	Policy state.Policy
	// Streams are how voters reach each other. The journal closes them.
	Streams Streams
	// Cluster is the chaos label of the cluster.
	Cluster string
	// Log is told what an operator must know; default: slog.Default.
	Log *slog.Logger

	// ElectionTimeout is how long a voter does without a word from the leader before it wants to lead: as long, at
	// least, and twice as long at most. Default 500ms; no less than 50ms. An election takes as long again if votes
	// split.
	ElectionTimeout time.Duration
	// SnapshotEntries and SnapshotBytes are how much the log grows before a snapshot is taken: so many records, or
	// so many bytes. Default 8192 and 64 MiB.
	SnapshotEntries int
	SnapshotBytes   int64
	// TrailingEntries is how many records the log keeps behind a snapshot, for voters that are not far behind.
	// Default 1024.
	TrailingEntries int
	// SegmentBytes is the size of the log's files. Default 16 MiB.
	SegmentBytes int
}

func (c RaftConfig) withDefaults() (RaftConfig, error) {
	switch {
	case c.Dir == "":
		return c, errors.New("a durable journal needs a directory")
	case c.ID == "" || c.Address == "" || c.Streams == nil:
		return c, errors.New("a durable journal needs an id, an address and streams")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.ElectionTimeout == 0 {
		c.ElectionTimeout = 500 * time.Millisecond
	}
	if c.ElectionTimeout < 50*time.Millisecond {
		return c, fmt.Errorf("an election timeout of %v is too short; 50ms is the least", c.ElectionTimeout)
	}
	if c.SnapshotEntries == 0 {
		c.SnapshotEntries = 8192
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = 64 << 20
	}
	if c.TrailingEntries == 0 {
		c.TrailingEntries = 1024
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.SnapshotEntries < 1 || c.SnapshotBytes < 1 || c.TrailingEntries < 1 || c.SegmentBytes < 4096 {
		return c, errors.New("a journal's snapshots, trailing entries and files must have a size")
	}
	return c, nil
}

// Raft is the journal of a durable cluster: replicated among voters, of which one leads. Make it with [OpenRaft].
type Raft struct {
	config  RaftConfig
	log     *slog.Logger
	disk    *disk
	cancel  context.CancelFunc // of the disk's context
	end     *ending
	locked  *os.File
	entries *diskLog
	layer   *streamLayer
	peers   *peers
	machine *machine
	raft    *raft.Raft

	proposed chan struct{} // wakes feed
	pending  chan pending  // from feed to settle
	grown    chan struct{} // wakes compact
	growth   growth

	work     sync.WaitGroup // watch, feed, compact
	settling sync.WaitGroup // settle
	calls    sync.WaitGroup // calls from outside that wait for raft
	closing  sync.Once
	closed   error // of Close

	mu        sync.Mutex
	callsOver bool          // no more calls
	leads     bool          // what raft said last
	epoch     uint64        // how often it said so
	changed   chan struct{} // closed when it says so again
	term      *raftTerm     // the last
}

// OpenRaft opens the journal in a directory, or makes one. It refuses, with a [DamageError], files that have lost
// more than the end of the log, and leaves them as they are.
func OpenRaft(config RaftConfig) (*Raft, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Raft{
		config: config, log: config.Log, proposed: make(chan struct{}, 1), grown: make(chan struct{}, 1),
		changed: make(chan struct{}), pending: make(chan pending, 2*MaxOutstanding),
	}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal in %s: %w", config.Dir, err), r.Close())
	}
	return r, nil
}

// open does what OpenRaft does. What it opened is in r if it fails.
func (r *Raft) open() error {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.disk = &disk{ctx: ctx, labels: chaos.Labels{"cluster": r.config.Cluster, "controller": r.config.ID}}
	r.end = &ending{done: make(chan struct{}), last: r.atEnd}
	r.layer = newStreamLayer(r.config.Streams, r.config.Address, r.log)
	raftLog := newRaftLog(r.log, func() bool { return r.end.over() != nil })
	p := paths{r.config.Dir}
	if err := os.MkdirAll(p.log(), 0o700); err != nil {
		return err
	}
	if err := os.Chmod(p.dir, 0o700); err != nil { // what it holds of jobs is nobody else's to read (FM-86)
		return err
	}
	var err error
	if r.locked, err = lock(p.dir); err != nil {
		return err
	}
	found, err := check(p)
	if err != nil {
		return err
	}
	if found.voter != "" && found.voter != r.config.ID {
		return fmt.Errorf("the directory is that of voter %s; give %s one of its own", found.voter, r.config.ID)
	}
	if found.fresh {
		if err := createMeta(r.disk, p.meta()); err != nil {
			return err
		}
	}
	meta, err := openMeta(r.disk, p.log(), p.meta())
	if err != nil {
		return err
	}
	r.entries = &diskLog{
		paths: p, disk: r.disk, meta: meta, end: r.end, segmentSize: r.config.SegmentBytes, log: r.log, raftLog: raftLog,
		appended: r.grows, refused: r.refuse,
		unreadable: make(chan struct{}), released: make(chan struct{}),
	}
	if err := r.entries.open(found); err != nil {
		return err
	}
	if err := r.identify(found); err != nil {
		return err
	}
	snapshots, err := newSnapshotStore(p, r.disk, r.end.over, raftLog)
	if err != nil {
		return err
	}
	if err := r.skip(found); err != nil {
		return err
	}
	if err := r.bootstrap(found); err != nil {
		return err
	}
	return r.start(found, snapshots, raftLog)
}

// skip drops a log that ends before the newest snapshot does, as when a crash interrupted the replacement of one by the
// other: raft is about to go on after the snapshot, and a log has no gaps.
func (r *Raft) skip(found findings) error {
	base := found.base()
	if found.last.Index == 0 || base.index <= found.last.Index {
		return nil
	}
	r.log.Info("the log ends before the snapshot and is dropped", "snapshot", base.path, "last", found.last.Index)
	return r.entries.DeleteRange(found.first, found.last.Index)
}

// bootstrap makes a cluster of this one voter, unless there is one.
func (r *Raft) bootstrap(found findings) error {
	stable := stableStore{r.entries}
	term, err := stable.GetUint64([]byte(currentTerm))
	if err != nil || !r.config.Bootstrap || found.last.Index > 0 || found.base().index > 0 || term > 1 {
		return err
	}
	if err := errors.Join(r.found(), stable.SetUint64([]byte(currentTerm), 1)); err != nil {
		return err
	}
	return r.entries.StoreLog(&raft.Log{
		Index: 1, Term: 1, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{
			ID: raft.ServerID(r.config.ID), Address: raft.ServerAddress(r.config.Address),
		}}}),
	})
}

// start starts raft and what goes with it.
func (r *Raft) start(found findings, snapshots raft.SnapshotStore, log hclog.Logger) (err error) {
	r.layer.start(r.greet, r.greeted)
	r.machine = &machine{disk: r.disk, end: r.end, cluster: state.New(state.Policy{})}
	r.peers = newPeers(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: r.layer, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 4 * r.config.ElectionTimeout, Logger: log,
	}), r.log)
	r.growth.entries.Store(int64(found.last.Index - min(found.last.Index, found.base().index)))
	defer func() {
		if gone := recover(); gone != nil {
			err = fmt.Errorf("start raft: %v", gone) // this is how it says that it cannot read its log
		}
		if over := r.end.over(); over != nil {
			err = over // it says why
		}
	}()
	started, err := raft.NewRaft(&raft.Config{
		ProtocolVersion: raft.ProtocolVersionMax, LocalID: raft.ServerID(r.config.ID),
		HeartbeatTimeout: r.config.ElectionTimeout, ElectionTimeout: r.config.ElectionTimeout,
		LeaderLeaseTimeout: r.config.ElectionTimeout * 4 / 5, CommitTimeout: r.config.ElectionTimeout / 10,
		MaxAppendEntries: 64, TrailingLogs: uint64(r.config.TrailingEntries),
		SnapshotInterval: time.Hour, SnapshotThreshold: math.MaxUint64, // see compact
		Logger: log, NoLegacyTelemetry: true,
	}, r.machine, r.entries, stableStore{r.entries}, snapshots, r.peers)
	if err != nil {
		return err
	}
	r.raft = started
	r.entries.leads.Store(new(func() bool { return started.State() == raft.Leader }))
	r.entries.running.Store(true)
	r.work.Go(r.watch)
	r.work.Go(r.feed)
	r.work.Go(r.compact)
	r.settling.Go(r.settle)
	return r.candidate()
}

// candidate makes a voter who is alone lead at once: there is nobody whose silence it could wait for.
func (r *Raft) candidate() error {
	servers := r.raft.GetConfiguration().Configuration().Servers
	if len(servers) != 1 || servers[0].ID != raft.ServerID(r.config.ID) || servers[0].Suffrage != raft.Voter {
		return nil
	}
	self, address := raft.ServerID(r.config.ID), raft.ServerAddress(r.config.Address)
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(self), Addr: []byte(address)}
	return r.peers.TimeoutNow(self, address, &raft.TimeoutNowRequest{RPCHeader: header}, &raft.TimeoutNowResponse{})
}

// atEnd is what happens when the journal is over.
func (r *Raft) atEnd(cause error) {
	r.layer.cut()
	r.cancel()
	if t := r.leading(); t != nil {
		t.finish(cause)
	}
	if !errors.Is(cause, ErrClosed) {
		r.log.Error("the log of this controller is over", "err", cause)
	}
}

// leading is the last term, which may be over; nil if there was none.
func (r *Raft) leading() *raftTerm {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// Leader is the address of the controller that leads, this one included; empty while none is known.
func (r *Raft) Leader() string {
	if r.end.over() != nil {
		return ""
	}
	address, _ := r.raft.LeaderWithID()
	return string(address)
}

// Close ends the journal and waits until nothing of it runs. What was proposed and not committed may or may not be
// in the log.
func (r *Raft) Close() error {
	r.closing.Do(func() {
		r.end.end(ErrClosed)
		r.closed = r.stop()
		r.closed = errors.Join(r.closed, r.release())
	})
	return r.closed
}

// stop stops raft. Raft forgets to answer those who wait for it when it is shut down; so it first has to answer
// them, as it does when it can write no more.
func (r *Raft) stop() error {
	if r.raft == nil {
		return nil
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = r.raft.Barrier(0).Error() // which cannot be written: whoever leads steps down
		r.work.Wait()
		r.mu.Lock()
		r.callsOver = true
		r.mu.Unlock()
		r.calls.Wait()
		close(r.pending)
		r.settling.Wait()
	}()
	select {
	case <-answered:
	case <-r.entries.unreadable: // raft waits to be stopped
	}
	down := r.raft.Shutdown()
	close(r.entries.released)
	return down.Error()
}

// release closes what was opened.
func (r *Raft) release() error {
	r.cancel()
	var err error
	if r.peers != nil {
		err = r.peers.Close()
	}
	err = errors.Join(err, r.layer.Close())
	if r.entries != nil {
		err = errors.Join(err, r.entries.close())
	}
	if r.locked != nil {
		err = errors.Join(err, r.locked.Close())
	}
	return err
}

var _ Journal = (*Raft)(nil)

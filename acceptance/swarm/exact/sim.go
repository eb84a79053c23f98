package exact

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
	"iris/iris/leader"
	"iris/iris/state"
)

// Options are how a story is told.
type Options struct {
	// Trace gets a line for each thing that happens. Nil: nobody wants them.
	Trace io.Writer
	// Mirror has a second copy of the state follow the log in stories that could do without: what the commands met is counted
	// there.
	Mirror bool
	// Facts get what a timeline of the story is drawn from. Nil: nobody wants them.
	Facts *timeline.Facts
}

// Outcome is what came of a story.
type Outcome struct {
	// Violation is the first thing that did not hold; nil: all did.
	Violation error
	// Digest is the SHA-256 of the history.
	Digest [32]byte
	// Told is how much virtual time went by. Steps counts the leader's, Commands what they decided.
	Told            time.Duration
	Steps, Commands int
	// Struck counts faults that had an effect, Sites what chaos sites would have fired.
	Struck map[fault.Kind]int
	Sites  map[string]int
	// Met counts what the commands met, if there was a mirror.
	Met Met
	// Ends counts the jobs by how they ended; those that wait for ever are PENDING.
	Ends map[state.State]int
	// Rows are the failure modes that the story had, by their numbers in the catalogue.
	Rows map[int]int
}

// GCPercent is a setting of the garbage collector for whoever tells many stories, see [debug.SetGCPercent]: a story holds a few
// megabytes at the most, and is garbage when the next begins.
const GCPercent = 800

// epoch is when each story begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// sim is a story that is being told.
type sim struct {
	story story.Story
	coins *rand.Rand
	now   int64 // ns since the epoch
	queue queue
	log   history
	out   Outcome
	over  bool // nothing more is told
	facts facts

	quick     bool    // messages take as long as each other, and their answers no time
	disturbed []*harm // faults of the network that go on
	armed     []*harm // sites
	ongoing   []*harm // faults of any kind
	held      []held  // messages that wait for the end of a fault
	resets    map[[2]*node]int

	client      *node
	controllers []*node
	workers     []*worker
	named       map[string]*node
	at          map[string]*worker // who is at an address now
	clouds      []*cloud
	halted      map[string]int64 // when the machine of a worker went
	jobs        []launch
	coming      []*launch // by when they are launched

	fragile bool           // somebody may have to go on from the log
	mirror  *state.Cluster // what is committed; nil if nobody needs it
	term    *term          // of who leads; nil: nobody does
	terms   int
	config  leader.Config

	inquiries  stock[inquiry]
	deliveries stock[delivery]
	parcels    stock[parcel]
	tries      stock[try]
	news       stock[news]
	attempts   stock[attempt]

	checks int // steps until everything is verified
	judge  judge
}

// Run tells a story. The same story has the same outcome, whatever the machine.
func Run(s story.Story, o Options) *Outcome {
	sim := &sim{
		facts: facts{o.Facts}, story: s, coins: rand.New(rand.NewPCG(s.Seed, 0xe4ac7)), log: newHistory(o.Trace),
		resets: map[[2]*node]int{}, named: map[string]*node{}, at: map[string]*worker{}, halted: map[string]int64{},
		out: Outcome{Struck: map[fault.Kind]int{}, Sites: map[string]int{}, Ends: map[state.State]int{}, Rows: map[int]int{}},
	}
	sim.tell(o)
	sim.out.Told = time.Duration(sim.now)
	sim.facts.end(sim.time())
	sim.out.Digest = sim.log.sum()
	return &sim.out
}

// tell runs the events. A panic is a violation like any other.
func (s *sim) tell(o Options) {
	defer func() {
		if p := recover(); p != nil {
			s.out.Violation = fmt.Errorf("at %v: panic: %v\n%s", time.Duration(s.now), p, debug.Stack())
		}
	}()
	s.begin(o)
	for !s.over && len(s.queue.events) > 0 {
		e := s.queue.pop()
		s.now = e.at
		if e.on != nil && e.on.frozen > 0 {
			e.on.thawed = append(e.on.thawed, e.what)
			continue
		}
		e.what.happen()
	}
}

// begin builds the cluster, and plans what the story says.
func (s *sim) begin(o Options) {
	s.quick = s.coins.IntN(4) != 0
	s.client = s.node("client")
	s.client.up = true
	for i := range s.story.Cluster.Controllers {
		c := s.node(fmt.Sprintf("c-%d", i))
		c.up = true
		s.controllers = append(s.controllers, c)
	}
	s.fragile = len(s.controllers) > 1
	for _, f := range s.story.Faults {
		s.fragile = s.fragile || f.OfController() || f.OfJournal()
	}
	s.config = s.leaderConfig()
	if s.fragile || o.Mirror {
		s.mirror = state.New(state.Policy{})
		s.facts.watch(s.mirror)
		s.out.Met = Met{}
	}
	s.facts.begin(s.controllers)
	s.beginClouds()
	s.elect(s.controllers[0])
	for i, w := range s.story.Cluster.Workers {
		attributes := map[string]string{state.AttributeSlice: w.Slice(i)}
		maps.Copy(attributes, story.Attributes(w.Pod))
		s.addWorker(fmt.Sprintf("w-%d", i), w.CPU, attributes)
	}
	s.beginJobs()
	for _, f := range s.story.Faults {
		s.schedule(f)
	}
	s.plan(int64(s.story.Length), s.heal)
}

// plan has something happen at an instant, after what is planned for it already; after so long from now.
func (s *sim) plan(at int64, do func()) { s.queue.push(max(at, s.now), nil, whatever(do)) }

func (s *sim) after(d int64, do func()) { s.in(d, whatever(do)) }

func (s *sim) in(d int64, what happening) { s.inNode(nil, d, what) }

// inNode has something happen to a node after so long from now, or when it is frozen no more.
func (s *sim) inNode(n *node, d int64, what happening) { s.queue.push(s.now+max(d, 0), n, what) }

// time is the instant as the core knows it.
func (s *sim) time() time.Time { return epoch.Add(time.Duration(s.now)) }

// violate ends the story: something does not hold.
func (s *sim) violate(format string, args ...any) {
	if s.out.Violation == nil {
		s.out.Violation = fmt.Errorf("at %v: %w", time.Duration(s.now), fmt.Errorf(format, args...))
	}
	s.over = true
}

// between is a random length of time.
func (s *sim) between(least, most time.Duration) int64 {
	return int64(least) + s.coins.Int64N(int64(most-least)+1)
}

const (
	millisecond = int64(time.Millisecond)
	second      = int64(time.Second)
)

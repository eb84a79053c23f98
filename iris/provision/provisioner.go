package provision

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"iris/iris/vm"
)

// The labels that every slice is created with.
const (
	ClusterLabel = "iris-cluster" // the name of the cluster: how a controller recognises its own slices
	GroupLabel   = "iris-group"   // the name of the scale group
)

// Config is what a Provisioner needs. Durations that are not positive take their defaults.
type Config struct {
	// Cluster names the cluster: a label of its slices, and the label by which chaos rules tell clusters apart.
	Cluster string
	// Managers are the platforms of the scale groups, by group.
	Managers map[string]vm.Manager
	// RequestTimeouts are the deadlines of one creation, by group, counted from when the platform is asked. Default 120 s.
	RequestTimeouts map[string]time.Duration
	// TerminateTimeout is the deadline of one try to terminate a slice. Default 60 s.
	TerminateTimeout time.Duration
	// ListTimeout is the deadline of one list, and of reading logs. Default 30 s.
	ListTimeout time.Duration
	// ListInterval is the pause between two lists of a group. Default 10 s.
	ListInterval time.Duration
	// Log defaults to slog.Default.
	Log *slog.Logger
}

const defaultRequestTimeout = 120 * time.Second

func (c *Config) setDefaults() {
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{
		{&c.TerminateTimeout, time.Minute},
		{&c.ListTimeout, 30 * time.Second},
		{&c.ListInterval, 10 * time.Second},
	} {
		if *d.of <= 0 {
			*d.of = d.is
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// Order is a slice to be created or terminated.
type Order struct {
	ID, Group string
	Zone      string // one of the group's, or empty for the first; of no meaning for a termination
}

// Provisioner talks to the platforms of all scale groups. It is safe for concurrent use.
type Provisioner struct {
	config Config
	tell   func(context.Context, News)
	ctx    context.Context // ends when Close begins
	stop   context.CancelFunc

	mu     sync.Mutex
	over   bool
	groups map[string]*group // those with a manager, and those that something was ordered of
}

// New begins to list the slices of every group, at once and then every ListInterval. Everything the platforms say goes to
// tell, which is called on many goroutines at once, already before New returns. It may block, and gives up when its context
// ends. The owner calls Close.
func New(config Config, tell func(context.Context, News)) *Provisioner {
	config.setDefaults()
	ctx, stop := context.WithCancel(context.Background())
	p := &Provisioner{config: config, tell: tell, ctx: ctx, stop: stop, groups: map[string]*group{}}
	for name := range config.Managers {
		p.group(name)
	}
	return p
}

// Create orders a slice, and returns at once.
func (p *Provisioner) Create(o Order) {
	if g := p.group(o.Group); g != nil {
		g.orderCreation(o)
	}
}

// Terminate orders the end of a slice, whether or not it exists, and returns at once. After a try that failed the next
// begins 1 s later, then 2 s, 4 s and so on up to 60 s, each give or take a tenth, until one works.
func (p *Provisioner) Terminate(o Order) {
	if g := p.group(o.Group); g != nil {
		g.orderTermination(o)
	}
}

// Poke has a group listed soon, if it has a manager: at once, or a second after the list before has ended. Any number of
// pokes until then have one list between them. It returns at once.
func (p *Provisioner) Poke(group string) {
	p.mu.Lock()
	g := p.groups[group]
	p.mu.Unlock()
	if g != nil {
		g.poke()
	}
}

// Logs are the last lines, at most n, of what a VM of a slice said while it came up: [vm.Slice.Logs], within ListTimeout.
// If no list or creation has shown the slice, it waits for the next list. The error is vm.ErrSliceGone if that does not
// show it either, the platform's, or ctx's.
func (p *Provisioner) Logs(ctx context.Context, o Order, vmID string, n int) ([]string, error) {
	p.mu.Lock()
	g := p.groups[o.Group]
	p.mu.Unlock()
	if g == nil {
		return nil, fmt.Errorf("logs of %s: %w", vmID, noManager(o.Group).missing())
	}
	return g.logs(ctx, o, vmID, n)
}

// Close ends everything and waits until nothing runs; calls that are under way are cancelled. It must not be called from
// within tell. A second Close waits too.
func (p *Provisioner) Close() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.stop()
	for _, g := range p.groups { // nobody adds to it any more
		g.close()
	}
}

// group is the group of that name, which begins to be listed if it was not known. It is nil after Close.
func (p *Provisioner) group(name string) *group {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	g := p.groups[name]
	if g == nil {
		g = newGroup(p, name)
		p.groups[name] = g
	}
	return g
}

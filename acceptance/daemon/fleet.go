package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"iris/iris/client"
	"iris/iris/config"
)

// Config says what a fleet is to be.
type Config struct {
	// Binary is the path of the iris command.
	Binary string
	// Cluster describes it: its controllers' and workers' settings, and the groups whose smallest number of slices run.
	Cluster config.Cluster
	// Controllers is how many there are. Default 1.
	Controllers int
	// Share tells fleets apart that other processes run at the same time: each number has ports of its own.
	Share int
	// Log gets what daemons say, each line after the name of the one that said it.
	Log io.Writer
}

// Fleet is the daemons of one cluster. NewFleet makes it; they run from Start to Stop.
type Fleet struct {
	Controllers []*Daemon // c-0 and so on
	Workers     []*Daemon // w-0 and so on
	dir         string
	addresses   []string // of the controllers, which keep them
	groups      string   // the file that describes groups that scale; empty: there are none
	config      Config
}

// NewFleet prepares the daemons' directories and command lines. Stop removes them.
func NewFleet(config Config) (*Fleet, error) {
	config.Controllers = max(config.Controllers, 1)
	f := &Fleet{config: config}
	var err error
	if f.dir, err = os.MkdirTemp("", "iris-"); err != nil { // short: a socket's path must be
		return nil, err
	}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(f.dir))
	}
	return f, nil
}

func (f *Fleet) prepare() error {
	if err := os.Mkdir(f.temporary(), 0o700); err != nil {
		return err
	}
	for range f.config.Controllers {
		address, err := freeAddress(f.config.Share)
		if err != nil {
			return err
		}
		f.addresses = append(f.addresses, address)
	}
	if err := f.describeGroups(); err != nil {
		return err
	}
	for n := range f.config.Controllers {
		f.Controllers = append(f.Controllers, f.daemon(controllerName(n), f.controllerFlags(n)))
	}
	for _, on := range f.config.Cluster.FixedMachines() {
		f.Workers = append(f.Workers, f.daemon(on.Worker, f.workerFlags(on)))
	}
	return nil
}

// describeGroups writes the description of the groups that scale, if there are some, for the controllers.
func (f *Fleet) describeGroups() error {
	if !slices.ContainsFunc(f.config.Cluster.Groups, config.Group.Scales) {
		return nil
	}
	f.groups = filepath.Join(f.dir, "groups.yaml")
	text, err := yaml.MarshalWithOptions(f.config.Cluster, yaml.OmitZero())
	if err != nil {
		return err
	}
	return os.WriteFile(f.groups, text, 0o600)
}

// temporary is the directory that all of the fleet, and nobody else, has for temporary files: it tells its processes.
func (f *Fleet) temporary() string { return filepath.Join(f.dir, "tmp") }

func (f *Fleet) daemon(name string, args []string) *Daemon {
	// A setting of the one who runs the specs is not one of theirs.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IRIS_") })
	env = set(env, "TMPDIR", f.temporary())
	// A race that is found ends the process, which is an error; without one, the detector need not wait at the end.
	env = set(env, "GORACE", "halt_on_error=1 atexit_sleep_ms=0")
	return &Daemon{Name: name, binary: f.config.Binary, args: args, env: env, log: f.config.Log}
}

// Setenv gives the processes that are started from now on a variable.
func (d *Daemon) Setenv(name, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.env = set(d.env, name, value)
}

// Addresses are those of the controllers, as clients and workers are given them.
func (f *Fleet) Addresses() string { return strings.Join(f.addresses, ",") }

// Start starts the controllers, waits until they serve, together, and starts the workers, which register in the
// background.
func (f *Fleet) Start(ctx context.Context) error {
	if err := start(f.Controllers); err != nil {
		return err
	}
	if err := ready(ctx, f.Controllers); err != nil {
		return err
	}
	if err := f.join(ctx); err != nil {
		return err
	}
	return start(f.Workers)
}

func start(daemons []*Daemon) error {
	for _, d := range daemons {
		if err := d.Start(); err != nil {
			return err
		}
	}
	return nil
}

// join has the first controller take in the others.
func (f *Fleet) join(ctx context.Context) error {
	if len(f.Controllers) == 1 {
		return nil
	}
	c, err := client.Connect(f.addresses[0])
	if err != nil {
		return err
	}
	for n, d := range f.Controllers[1:] {
		if err := c.AddController(ctx, d.Name, f.addresses[n+1]); err != nil {
			return errors.Join(fmt.Errorf("%s does not join: %w", d.Name, err), c.Close())
		}
	}
	return c.Close()
}

// Ready waits until every daemon serves: the workers are registered then.
func (f *Fleet) Ready(ctx context.Context) error { return ready(ctx, f.All()) }

func ready(ctx context.Context, daemons []*Daemon) error {
	for _, d := range daemons {
		if err := d.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Daemon is the one of this name, or nil.
func (f *Fleet) Daemon(name string) *Daemon {
	i := slices.IndexFunc(f.All(), func(d *Daemon) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return f.All()[i]
}

// All are the controllers and the workers.
func (f *Fleet) All() []*Daemon { return slices.Concat(f.Controllers, f.Workers) }

// endPatience is how long a daemon may take to end in good order, its tasks too.
const endPatience = 30 * time.Second

// Stop ends the workers and then the controllers, removes the directory, and returns what was not in order: a daemon that
// had ended by itself or did not end well, or whatever of the fleet still runs. In any case nothing runs afterwards.
func (f *Fleet) Stop() error {
	var errs []error
	for _, d := range slices.Backward(f.All()) {
		errs = append(errs, d.Terminate(endPatience))
	}
	for end := time.Now().Add(endPatience); len(f.machines()) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, p := range f.machines() { // which outlive their controllers: that is their point
			_ = p.Kill() // it may have ended since
		}
	}
	for _, r := range f.Remains() {
		errs = append(errs, fmt.Errorf("process %v outlives its fleet", r), r.Kill())
	}
	for _, d := range f.All() {
		d.alive.Wait()
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

// Remains are the processes of the fleet that run: daemons and what they started.
func (f *Fleet) Remains() []Process { return remains(f.dir) }

// machines are the processes of the slices that the controllers made, and what those started.
func (f *Fleet) machines() []Process {
	var all []Process
	for _, c := range f.Controllers {
		all = append(all, remains(filepath.Join(f.dir, c.Name, "machines"))...)
	}
	return all
}

// Machine is the process of a worker on a machine that a controller made, if it runs.
func (f *Fleet) Machine(worker string) (Process, bool) {
	all := f.machines()
	i := slices.IndexFunc(all, func(p Process) bool {
		return strings.Contains(p.Command, " worker ") && strings.Contains(p.Command, "--id="+worker+" ")
	})
	if i < 0 {
		return Process{}, false
	}
	return all[i], true
}

// Keeper is the process that runs the commands of a worker, if there is one (see package keeper).
func (f *Fleet) Keeper(worker string) (Process, bool) {
	folder := filepath.Join(f.dir, worker, "keeper")
	all := f.Remains()
	i := slices.IndexFunc(all, func(p Process) bool { return strings.Contains(p.Command, " keeper --dir "+folder) })
	if i < 0 {
		return Process{}, false
	}
	return all[i], true
}

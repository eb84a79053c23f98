package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"iris/iris/config"
	"iris/iris/controller"
	"iris/iris/localvm"
	"iris/iris/settings"
	"iris/iris/state"
	"iris/iris/vm"
)

// machines are the scale groups of a controller, and the platforms that they get their machines from.
type machines struct {
	file string

	description config.Cluster
	cluster     string
	chaos       bool
	addresses   string        // of the controllers, as workers here reach them; written before serves is closed
	serves      chan struct{} // closed when the controller does
	close       []func() error
}

func (m *machines) add(flags *pflag.FlagSet) {
	settings.Var(flags, &m.file, "groups", "a description of scale groups whose machines come and go; those of platform fixed are left "+
		"to whoever starts their workers", settings.Text("file"))
}

// read reads and checks the description.
func (m *machines) read() (err error) {
	if m.file == "" {
		return nil
	}
	m.description, err = config.Load(m.file)
	return err
}

// open opens the platforms. What they keep of this host's machines is below dir.
func (m *machines) open(dir, cluster string, chaos bool, log *slog.Logger) (controller.Scaling, error) {
	if m.file == "" {
		return controller.Scaling{}, nil
	}
	m.cluster, m.chaos, m.serves = cluster, chaos, make(chan struct{})
	all := controller.Scaling{
		Groups: m.description.ScaleGroups(), Managers: map[string]vm.Manager{},
		EvaluationInterval: m.description.Autoscaler.EvaluationInterval, ListInterval: m.description.Autoscaler.ListInterval,
	}
	for _, g := range m.description.Groups {
		if !g.Scales() {
			continue
		}
		manager, err := m.platform(g, filepath.Join(dir, "machines", g.Name), log)
		if err != nil {
			return controller.Scaling{}, errors.Join(fmt.Errorf("scale group %s: %w", g.Name, err), m.end())
		}
		all.Managers[g.Name] = manager
	}
	return all, nil
}

// platform opens that of a group.
func (m *machines) platform(g config.Group, dir string, log *slog.Logger) (vm.Manager, error) {
	manager, err := localvm.Open(localvm.Config{
		Group: g.VM(), Dir: dir, Grace: m.killGrace() + 5*time.Second, Log: log,
		Command: func(on localvm.Machine) *exec.Cmd {
			<-m.serves // which it does in no time
			return m.worker(g, on)
		},
	})
	if err != nil {
		return nil, err
	}
	m.close = append(m.close, manager.Close)
	return manager, nil
}

// serve says where the controllers are.
func (m *machines) serve(addresses ...string) {
	m.addresses = strings.Join(addresses, ",")
	if m.serves != nil {
		close(m.serves)
	}
}

// end closes the platforms; their machines go on.
func (m *machines) end() error {
	var errs []error
	for _, end := range m.close {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

func (m *machines) killGrace() time.Duration {
	if grace := m.description.Worker.KillGrace; grace > 0 {
		return grace
	}
	return 5 * time.Second
}

// worker is the command of a worker on a machine of this host.
func (m *machines) worker(g config.Group, on localvm.Machine) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	c := exec.CommandContext(context.Background(), self, m.arguments(g, on.Slice, on.Zone, on.Index, on.VM.WorkerID)...)
	c.Args = append(c.Args, "--controller="+m.addresses, "--listen=127.0.0.1:0", "--data-dir="+filepath.Join(on.Dir, "data"))
	c.Args = append(c.Args, g.WorkerFlags...)
	// The controller's own settings are not the worker's.
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IRIS_") })
	return c
}

// arguments are those of a worker, wherever its machine is. Its machine is taken away when it drains, so that it does so at
// once.
func (m *machines) arguments(g config.Group, slice, zone string, index int, worker string) []string {
	w := m.description.Worker
	args := []string{
		"worker", "--cluster=" + m.cluster, "--id=" + worker, "--cpu=" + strconv.FormatFloat(g.CPU, 'f', -1, 64),
		fmt.Sprintf("--memory=%d", g.Memory), "--drain-timeout=0s",
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"heartbeat-interval", w.HeartbeatInterval}, {"poll-interval", w.PollInterval}, {"kill-grace", w.KillGrace}} {
		if d.value > 0 {
			args = append(args, fmt.Sprintf("--%s=%v", d.flag, d.value))
		}
	}
	if m.chaos {
		args = append(args, "--chaos")
	}
	groups := m.description.ScaleGroups()
	at := slices.IndexFunc(groups, func(known state.Group) bool { return known.Name == g.Name })
	attributes := groups[at].Worker(slice, zone, index)
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		args = append(args, "--attribute="+key+"="+attributes[key])
	}
	return args
}

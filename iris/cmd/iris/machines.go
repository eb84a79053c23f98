package main

import (
	"cmp"
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
	"iris/iris/provision"
	"iris/iris/settings"
	"iris/iris/sshvm"
	"iris/iris/state"
	"iris/iris/vm"
)

// machines are the scale groups of a controller, and the platforms that they get their machines from.
type machines struct {
	file string

	description config.Cluster
	cluster     string
	chaos       bool
	controllers func() []string // addresses of those that there are
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

// open opens the platforms. What they keep of this host's machines is below dir; controllers says whom a worker that is
// started then may turn to.
func (m *machines) open(dir, cluster string, controllers func() []string, chaos bool, log *slog.Logger) (controller.Scaling, error) {
	if m.file == "" {
		return controller.Scaling{}, nil
	}
	m.cluster, m.controllers, m.chaos = cluster, controllers, chaos
	all := controller.Scaling{
		Groups: m.description.ScaleGroups(), Managers: map[string]vm.Manager{},
		EvaluationInterval: m.description.Autoscaler.EvaluationInterval, ListInterval: m.description.Autoscaler.ListInterval,
	}
	for _, group := range all.Groups {
		manager, err := m.platform(m.description.Group(group.Name), group, filepath.Join(dir, "machines", group.Name), log)
		if err != nil {
			return controller.Scaling{}, errors.Join(fmt.Errorf("scale group %s: %w", group.Name, err), m.end())
		}
		all.Managers[group.Name] = manager
	}
	return all, nil
}

// platform opens that of a group.
func (m *machines) platform(g config.Group, group state.Group, dir string, log *slog.Logger) (vm.Manager, error) {
	if g.Platform == config.OverSSH {
		return m.hosts(g, group, log)
	}
	manager, err := localvm.Open(localvm.Config{
		Group: g.VM(), Dir: dir, Grace: m.killGrace() + endTime, Log: log,
		Command: func(on localvm.Machine) *exec.Cmd { return m.process(g, group, on) },
	})
	if err != nil {
		return nil, err
	}
	m.close = append(m.close, manager.Close)
	return manager, nil
}

// endTime is what a worker gets, besides its tasks' grace, to deliver results and end.
const endTime = 5 * time.Second

// hosts opens a pool of hosts.
func (m *machines) hosts(g config.Group, group state.Group, log *slog.Logger) (vm.Manager, error) {
	worker := func() sshvm.Worker {
		controllers := strings.Split(g.SSH.Controller, ",")
		if g.SSH.Controller == "" {
			controllers = m.controllers()
		}
		return sshvm.Worker{
			Binary: cmp.Or(g.SSH.Iris, "/usr/local/bin/iris"), Cluster: m.cluster, Controllers: controllers, Drain: time.Second,
			Grace: m.killGrace() + endTime, Args: append(m.settings(g), g.WorkerFlags...),
			Attributes: func(on sshvm.Machine) map[string]string { return group.Worker(on.Slice, on.Zone, on.Index) },
		}
	}
	c := sshvm.Config{
		Group: g.VM(), User: g.SSH.User, Key: g.SSH.Key, KnownHosts: g.SSH.KnownHosts,
		Labels:      map[string]string{provision.ClusterLabel: m.cluster, provision.GroupLabel: g.Name},
		Bootstrap:   func(on sshvm.Machine) string { return worker().Bootstrap(on) },
		Shutdown:    func(on sshvm.Machine) string { return worker().Shutdown(on) },
		BootTimeout: group.Pace.BootTimeout, InitTimeout: group.Pace.InitTimeout, Log: log,
	}
	for _, h := range g.Hosts() {
		c.Hosts = append(c.Hosts, sshvm.Host{Address: h.Address, Zone: h.Zone, Dir: h.Dir})
	}
	manager, err := sshvm.Open(c)
	if err != nil {
		return nil, err
	}
	m.close = append(m.close, manager.Close)
	return manager, nil
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
	return cmp.Or(m.description.Worker.KillGrace, 5*time.Second)
}

// process is the command of a worker on this host. Its machine is taken away when it is told to end, so that it stops its tasks
// at once.
func (m *machines) process(g config.Group, group state.Group, on localvm.Machine) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	args := []string{
		"worker", "--cluster=" + m.cluster, "--id=" + on.VM.WorkerID, "--controller=" + strings.Join(m.controllers(), ","), "--listen=127.0.0.1:0",
		"--data-dir=" + filepath.Join(on.Dir, "data"), "--drain-timeout=0s",
	}
	attributes := group.Worker(on.Slice, on.Zone, on.Index)
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		args = append(args, "--attribute="+key+"="+attributes[key])
	}
	c := exec.Command(self, slices.Concat(args, m.settings(g), g.WorkerFlags)...)
	// The controller's own settings are not the worker's.
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IRIS_") })
	return c
}

// settings are the flags of a worker that follow from the description, wherever its machine is.
func (m *machines) settings(g config.Group) []string {
	w := m.description.Worker
	args := []string{"--cpu=" + strconv.FormatFloat(g.CPU, 'f', -1, 64), fmt.Sprintf("--memory=%d", g.Memory)}
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
	return args
}

package daemon

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"iris/iris/config"
)

// controllerFlags is the command line of the nth controller.
func (f *Fleet) controllerFlags(n int) []string {
	c := f.config.Cluster.Controller
	name := controllerName(n)
	args := []string{
		"controller", "--cluster=" + f.config.Cluster.Name, "--id=" + name, "--listen=" + f.addresses[n],
		"--data-dir=" + filepath.Join(f.dir, name), "--log-level=debug", "--chaos",
	}
	if f.groups != "" {
		args = append(args, "--groups="+f.groups)
	}
	if n > 0 {
		args = append(args, "--join="+f.addresses[0])
	}
	args = addDuration(args, "worker-timeout", c.WorkerTimeout)
	args = addDuration(args, "no-worker-grace", c.NoWorkerGrace)
	args = addDuration(args, "dispatch-pause", c.DispatchPause)
	if c.DispatchRounds != 0 {
		args = append(args, fmt.Sprintf("--dispatch-rounds=%d", c.DispatchRounds))
	}
	return args
}

func controllerName(n int) string { return fmt.Sprintf("c-%d", n) }

// workerFlags is the command line of the worker on a machine that is there from the start.
func (f *Fleet) workerFlags(on config.Machine) []string {
	c := f.config.Cluster.Worker
	args := []string{
		"worker", "--cluster=" + f.config.Cluster.Name, "--controller=" + f.Addresses(), "--id=" + on.Worker, "--log-level=debug", "--chaos",
		"--data-dir=" + filepath.Join(f.dir, on.Worker),
		"--cpu=" + strconv.FormatFloat(on.Group.CPU, 'f', -1, 64), fmt.Sprintf("--memory=%d", on.Group.Memory),
	}
	args = addDuration(args, "heartbeat-interval", c.HeartbeatInterval)
	args = addDuration(args, "poll-interval", c.PollInterval)
	args = addDuration(args, "kill-grace", c.KillGrace)
	for _, key := range slices.Sorted(maps.Keys(on.Attributes)) {
		args = append(args, "--attribute="+key+"="+on.Attributes[key])
	}
	return args
}

// addDuration leaves out what is to be as by default.
func addDuration(args []string, name string, d time.Duration) []string {
	if d == 0 {
		return args
	}
	return append(args, fmt.Sprintf("--%s=%v", name, d))
}

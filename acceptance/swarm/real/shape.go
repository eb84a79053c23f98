package real

import (
	"slices"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/iris/cluster"
	"iris/iris/config"
)

// zone is where all machines are.
const zone = "z"

// shape is the description of a story's cluster.
func shape(name string, c story.Cluster) config.Cluster {
	beat := time.Duration(c.Beat)
	d := config.Cluster{Name: name}
	for i, w := range c.Workers {
		d.Groups = append(d.Groups, config.Group{
			Name: w.Slice(i), CPU: float64(w.CPU), Memory: config.Bytes(w.CPU) * story.CoreMemory,
			MinSlices: 1, MaxSlices: 1, VMsPerSlice: 1, Zones: []string{zone}, Attributes: story.Attributes(w.Pod),
		})
	}
	for _, g := range c.Groups {
		d.Groups = append(d.Groups, config.Group{
			Name: g.Name, Platform: config.Local, CPU: float64(g.CPU), Memory: config.Bytes(g.CPU) * story.CoreMemory,
			MinSlices: g.Min, MaxSlices: g.Max, VMsPerSlice: g.VMs, Zones: []string{zone}, BootDelay: time.Duration(g.Boot),
			Attributes: story.Attributes(g.Pod),
			Pace:       config.Pace{BootTimeout: bootTimeout(g)},
		})
	}
	d.Autoscaler.EvaluationInterval, d.Autoscaler.ListInterval = 2*time.Second, 10*time.Second
	d = cluster.MakeLocalConfig(d) // for the pace of its groups
	d.Controller = config.Controller{
		WorkerTimeout: c.WorkerTimeout(), NoWorkerGrace: time.Duration(c.Grace), DispatchRounds: c.Rounds,
		Retention: config.Retention{Jobs: c.Keep, Age: -1, WorkerAge: -1},
	}
	if c.Keep == 0 {
		d.Controller.Retention.Jobs = -1
	}
	// A look at an attempt costs, and there is nothing to see; leases are of six beats, and exclusive attempts end two looks
	// before theirs does.
	d.Worker = config.Worker{HeartbeatInterval: beat, PollInterval: beat}
	return d
}

// bootTimeout leaves a machine that boots ample time.
func bootTimeout(g story.Group) time.Duration { return 30*time.Second + 2*time.Duration(g.Boot) }

// durable reports whether a story needs controllers that have a disk: it has several, or one that ends and comes back.
func durable(s story.Story) bool {
	return s.Cluster.Controllers > 1 || slices.ContainsFunc(s.Faults, func(f fault.Fault) bool {
		ends := f.Kind == fault.KindCrash || f.Kind == fault.KindRestart
		return ends && f.OfController() || f.OfJournal()
	})
}

package exact

import (
	"slices"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/timeline"
	"iris/fakevm"
)

// schedule plans a fault of the story.
func (s *sim) schedule(f fault.Fault) {
	s.plan(int64(f.Begins), func() {
		h := &harm{Fault: f}
		s.log.note("fault begins: ", f, s.now)
		h.began = s.time()
		s.ongoing = append(s.ongoing, h)
		s.restir()
		s.do(h)
		s.hold()
		s.everything()
		end := func() { s.undo(h) }
		if at, over := f.Ends(); over {
			s.plan(int64(at), end)
		} else {
			s.plan(int64(s.story.Length), end)
		}
	})
}

// do begins a fault.
func (s *sim) do(h *harm) {
	switch h.Kind {
	case fault.KindCrash, fault.KindRestart:
		n := s.named[h.A]
		h.struck = n != nil && n.up
		s.down(h.A)
		h.end = func() { s.up(h.A) }
	case fault.KindFreeze:
		n := s.named[h.A]
		if n == nil {
			return
		}
		h.struck = true
		n.frozen++
		h.end = func() {
			if n.frozen--; n.frozen == 0 {
				if t := s.term; t != nil && t.on == n {
					t.thawed = s.now
				}
				waiting := n.thawed
				n.thawed = nil
				for _, what := range waiting {
					s.inNode(n, 0, what)
				}
			}
		}
	case fault.KindReset:
		s.reset(h)
	case fault.KindSite, fault.KindSkew:
		s.armed = append(s.armed, h)
		h.end = func() { s.armed = slices.DeleteFunc(s.armed, func(other *harm) bool { return other == h }) }
	case fault.KindCreation, fault.KindTaken, fault.KindNotice, fault.KindBroken, fault.KindListLag:
		s.doMachines(h)
	default:
		s.disturbed = append(s.disturbed, h)
		h.end = func() { s.disturbed = slices.DeleteFunc(s.disturbed, func(other *harm) bool { return other == h }) }
	}
}

// undo ends a fault.
func (s *sim) undo(h *harm) {
	s.log.note("fault ends: ", h.Fault, s.now)
	if h.end != nil {
		h.end()
	}
	s.ongoing = slices.DeleteFunc(s.ongoing, func(other *harm) bool { return other == h })
	s.facts.harmed(h, s.time())
	if h.struck {
		s.out.Struck[h.Kind]++
	}
	s.release()
	s.everything()
	if s.term != nil {
		s.term.rest()
	}
}

// disturbs reports whether a fault that goes on may keep a worker's beats from being sent, heard or answered. Those of other
// workers, of clients and of platforms do not, nor do sites that they do not pass: what is lost there has the worker beat again.
func (s *sim) disturbs(w *worker) bool {
	return slices.ContainsFunc(s.ongoing, func(h *harm) bool {
		switch {
		case h.A == fault.Anybody && h.B == "", h.A == w.id && h.B == "":
			return h.Kind != fault.KindSite || h.Site == "worker.heartbeat"
		case h.B == "":
			return slices.ContainsFunc(s.controllers, func(c *node) bool { return c.name == h.A })
		}
		return slices.ContainsFunc(s.controllers, func(c *node) bool {
			between := func(other *node) bool { return h.on(other, c) || h.on(c, other) }
			return between(w.node) || slices.ContainsFunc(s.controllers, between)
		})
	})
}

// down ends a controller or a worker, up starts it again.
func (s *sim) down(id string) {
	s.facts.done(timeline.Kill(id, s.time()))
	if w := s.worker(id); w != nil {
		w.crashed = true
		w.stop()
	} else if n := s.named[id]; n != nil {
		s.stopController(n, "killed")
	}
}

func (s *sim) up(id string) {
	s.facts.done(timeline.Start(id, s.time()))
	if w := s.worker(id); w != nil {
		if w.crashed = false; !w.up && !w.gone {
			w.start()
		}
	} else if n := s.named[id]; n != nil {
		s.startController(n)
	}
}

// siteArmed reports whether a fault is at a chaos site.
func (s *sim) siteArmed(site string) bool {
	return slices.ContainsFunc(s.armed, func(h *harm) bool { return h.Site == site })
}

// strikes reports whether a fault at a chaos site strikes what x does there.
func (s *sim) strikes(site, x string) bool {
	for _, h := range s.armed {
		if h.Site != site || h.A != x && h.A != fault.Anybody || h.Times > 0 && h.fired >= h.Times {
			continue
		}
		if s.coins.Float64() < h.Share {
			h.fired++
			h.struck = true
			s.out.Sites[site]++
			s.log.write(site, x, 0, s.now)
			s.facts.struck(h, x, s.time())
			return true
		}
	}
	return false
}

// doMachines begins a fault of a scale group's platform.
func (s *sim) doMachines(h *harm) {
	i := slices.IndexFunc(s.clouds, func(c *cloud) bool { return c.name == h.A })
	if i < 0 {
		return
	}
	c := s.clouds[i]
	switch h.Kind {
	case fault.KindCreation:
		h.struck = true
		set := func(mode fakevm.FailureMode) {
			c.manager.SetFailureMode(mode)
			c.changed()
			c.hangs = mode == fakevm.CreateHangs
		}
		set(fault.Modes[h.Mode])
		h.end = func() { set(fakevm.None) }
		return
	case fault.KindListLag:
		h.struck = true
		c.manager.SetListLag(time.Duration(h.Delay))
		h.end = func() { c.manager.SetListLag(0) }
		return
	}
	live := c.manager.Live()
	if len(live) == 0 {
		return
	}
	h.struck = true
	slice := live[h.Nth%len(live)]
	var err error
	switch h.Kind {
	case fault.KindTaken:
		err = c.manager.Preempt(slice.ID())
	case fault.KindNotice:
		err = c.manager.Notice(slice.ID(), time.Duration(h.Delay))
	default:
		err = c.manager.FailVM(slice.Status().VMs[0].ID, "it is broken")
	}
	if err != nil {
		s.violate("%v: %w", h.Fault, err)
	}
	c.changed()
}

// heal ends the story's faults, and then waits for the cluster to be right again.
func (s *sim) heal() {
	s.plan(s.now, func() { s.settle(s.now+s.patience(), 5*second) })
}

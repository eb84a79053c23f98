package autoscaler

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// Everything that people are told is written in this file.

// shown is how many things of a kind a text names before it counts the rest.
const shown = 3

func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

// list joins the first texts, and counts the rest: "a; b; c; and 4 more".
func list(texts []string, all int) string {
	if more := all - len(texts); more > 0 {
		texts = append(texts[:len(texts):len(texts)], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// failedText is why a slice is FAILED or PREEMPTED.
func failedText(s *state.Slice) string {
	if s.Cause != "" {
		return s.Cause
	}
	if errors := (vm.SliceStatus{VMs: s.VMs}).Errors(); len(errors) > 0 {
		return list(errors[:min(len(errors), shown)], len(errors))
	}
	return "it is " + s.State.String()
}

// lateText is why a slice is given up that took longer than it may.
func lateText(s *state.Slice, limit time.Duration) string {
	switch s.State {
	case vm.Requesting:
		return fmt.Sprintf("its platform did not answer within %v", limit)
	case vm.Booting:
		running := 0
		for _, v := range s.VMs {
			if v.State != vm.Booting && v.State != vm.Requesting {
				running++
			}
		}
		return fmt.Sprintf("its machines did not come up within %v of BOOTING: %d of %d run%s",
			limit, running, len(s.VMs), lateVMs(s, vm.Booting, vm.Requesting))
	case vm.Initializing:
		return fmt.Sprintf("its workers did not come up within %v of INITIALIZING: %d of %d registered%s",
			limit, s.Live(), len(s.VMs), lateVMs(s, vm.Initializing))
	}
	return fmt.Sprintf("it was UNHEALTHY for %v: %d of %d workers are live%s",
		limit, s.Live(), len(s.VMs), lateVMs(s, vm.Unhealthy, vm.Stopping))
}

// lateVMs names the VMs that are in one of these states: "; cpu-0-vm-1 is INITIALIZING (registration)".
func lateVMs(s *state.Slice, states ...vm.State) string {
	var late []string
	n := 0
	for _, v := range s.VMs {
		for _, in := range states {
			if v.State != in {
				continue
			}
			if n++; n > shown {
				continue
			}
			text := v.ID + " is " + v.State.String()
			if v.InitPhase != "" {
				text += " (" + v.InitPhase + ")"
			}
			late = append(late, text)
		}
	}
	if n == 0 {
		return ""
	}
	return "; " + list(late, n)
}

func surplusText(g *group) string {
	if g.Removed {
		return "group " + g.Name + " is not configured any more"
	}
	return fmt.Sprintf("group %s has %s, max_slices is %d", g.Name, state.CountText(g.staying, "slice"), g.MaxSlices)
}

func idleText(d time.Duration) string { return "idle for " + d.Round(time.Second).String() }

// keepText is why a slice is asked for that nothing waits for.
func keepText(g *group) string {
	if g.staying+len(g.fresh) < g.MinSlices {
		return "min_slices is " + strconv.Itoa(g.MinSlices)
	}
	return "buffer_slices is " + strconv.Itoa(g.BufferSlices)
}

// boxText is what a slice is asked for.
func boxText(b *box) string {
	first := b.pieces[0]
	text := state.CountText(first.tasks, "task") + " of job " + first.ask.Job
	if first.ask.class.gang() {
		text = fmt.Sprintf("the gang of job %s (%s)", first.ask.Job, state.CountText(len(first.ask.Tasks), "task"))
	}
	jobs := map[string]bool{}
	for _, piece := range b.pieces {
		jobs[piece.ask.Job] = true
	}
	switch more := len(jobs) - 1; {
	case more > 0:
		return fmt.Sprintf("%s and %s wait", text, state.CountText(more, "more job"))
	case first.ask.class.gang() || first.tasks == 1:
		return text + " waits"
	}
	return text + " wait"
}

// standings are how the groups stand.
func (p *pass) standings() []Standing {
	all := make([]Standing, len(p.groups))
	for i := range p.groups {
		g := &p.groups[i]
		claimed := p.claimed(g)
		text := p.standingText(g, claimed)
		if g.returned > 0 {
			text += "; " + state.CountText(g.returned, "idle slice") + " given back"
		}
		all[i] = Standing{Group: g.Name, Availability: g.availability, Demand: claimed + len(g.fresh), Text: text}
	}
	return all
}

func (p *pass) standingText(g *group, claimed int) string {
	wanted := len(g.fresh) + g.short
	more := ""
	if left := wanted - g.created; left > 0 {
		more = "; " + state.CountText(left, "more slice") + " wanted"
	}
	switch g.availability {
	case Backoff, QuotaExceeded, AtMax:
		return p.closedText(g) + more
	}
	switch {
	case g.created > 0:
		return state.CountText(g.created, "slice") + " asked for: " + p.demandText(g) + more
	case g.availability == Requesting && wanted > 0:
		return fmt.Sprintf("%d slices are being asked for, more at a time may not be%s: %s", g.requesting, more, p.demandText(g))
	case wanted > 0:
		return fmt.Sprintf("%s wanted, the next is asked for at %s: %s",
			state.CountText(wanted, "more slice"), clock(g.LastUp.Add(g.Pace.ScaleUpCooldown)), p.demandText(g))
	case claimed > 0:
		return state.CountText(claimed, "slice") + " under way: " + p.demandText(g)
	}
	for i := range p.asks {
		a := &p.asks[i]
		if len(a.Tasks) == 0 {
			continue
		}
		if m := p.misfit(a.class, g); m.kind == fits {
			return "what waits needs no more of it"
		} else if m.kind == tooSmall {
			return "its machines are too small for job " + a.Job + ": " + m.String()
		} else {
			return "its machines are not for job " + a.Job + ": " + m.String()
		}
	}
	return "nothing waits for it"
}

func maxText(g *group) string {
	if g.MaxSlices == 0 {
		return "it is closed: no slices are asked for"
	}
	return fmt.Sprintf("all %d of max_slices are in use", g.MaxSlices)
}

// closedText is why the group takes no demand.
func (p *pass) closedText(g *group) string {
	switch g.availability {
	case QuotaExceeded:
		var zones []string
		for _, zone := range g.Zones[:min(len(g.Zones), shown)] {
			zones = append(zones, blockText(g, zone))
		}
		return list(zones, len(g.Zones))
	case Backoff:
		if !g.BackoffUntil.After(p.now) {
			return "backs off: " + g.fails
		}
		text := "in backoff until " + clock(g.BackoffUntil)
		if g.Failures > 0 {
			text += " after " + state.CountText(g.Failures, "failure")
		}
		if g.Failure != "" {
			text += ": " + g.Failure
		}
		return text
	}
	switch {
	case g.Removed && g.staying == 0:
		return "not configured any more"
	case g.Removed:
		return fmt.Sprintf("not configured any more; %s to go when idle", state.CountText(g.staying, "slice"))
	case len(g.fresh) > 0: // it is full only with what it is about to ask for
		return maxText(g) + " or wanted"
	}
	return maxText(g)
}

func blockText(g *group, zone string) string {
	block := g.Blocked[zone]
	cause := block.Cause
	if cause == "" {
		cause = "refused"
	}
	return fmt.Sprintf("%s in %s until %s", cause, zone, clock(block.Until))
}

// demandText is what the slices of a group are wanted for: "2 gangs and 5 tasks wait".
func (p *pass) demandText(g *group) string {
	gangs, tasks := map[*ask]bool{}, 0
	count := func(b *box) {
		for _, piece := range b.pieces {
			if piece.ask.class.gang() {
				gangs[piece.ask] = true
			} else {
				tasks += piece.tasks
			}
		}
	}
	for _, k := range p.kindsOf(g) {
		for _, b := range k.boxes {
			count(b)
		}
	}
	verb := " wait"
	if len(gangs)+tasks == 1 {
		verb = " waits"
	}
	switch {
	case len(gangs) > 0 && tasks > 0:
		return state.CountText(len(gangs), "gang") + " and " + state.CountText(tasks, "task") + verb
	case len(gangs) > 0:
		return state.CountText(len(gangs), "gang") + verb
	case tasks > 0:
		return state.CountText(tasks, "task") + verb
	}
	return keepText(g)
}

// waits are what the requests wait for.
func (p *pass) waits() []Wait {
	all := make([]Wait, len(p.asks))
	for _, k := range p.boxed {
		for _, b := range p.kinds[k].boxes {
			for _, piece := range b.pieces {
				a := piece.ask
				if a.first == nil {
					a.first = b
				}
				if a.last != b {
					a.last = b
					a.boxes++
				}
			}
		}
	}
	for i := range p.asks {
		all[i] = p.wait(&p.asks[i])
	}
	return all
}

func (p *pass) wait(a *ask) Wait {
	w := Wait{Job: a.Job}
	switch {
	case a.left == len(a.Tasks) && a.left > 0:
		why := p.unmetWait(a.class)
		w.Group, w.Text = why.Group, why.Text
		return w
	case a.first == nil && a.elsewhere:
		w.Text = "there is room for it on the workers that are there"
		return w
	case a.first == nil:
		return w
	}
	g := p.kinds[a.first.kind].group
	w.Group = g.Name
	switch b := a.first; {
	case b.slice != nil:
		w.Text = "slice " + b.slice.ID + " is " + b.slice.State.String()
	case b.asked:
		w.Text = "a slice of " + g.Name + " is asked for"
	case g.availability == Cooldown:
		w.Text = fmt.Sprintf("%s asks for its next slices at %s", g.Name, clock(g.LastUp.Add(g.Pace.ScaleUpCooldown)))
	default:
		w.Text = fmt.Sprintf("%s asks for %d slices at a time, and for the next ones when those are there", g.Name, maxRequesting)
	}
	if a.boxes > 1 {
		w.Text += fmt.Sprintf(", and %s", state.CountText(a.boxes-1, "more slice"))
	}
	if a.left > 0 {
		w.Text = fmt.Sprintf("for %d of %d tasks: %s; for the others: %s",
			len(a.Tasks)-a.left, len(a.Tasks), w.Text, p.unmetWait(a.class).Text)
	}
	return w
}

// unmetWait is why there is no slice for tasks of a class, nor will be one.
func (p *pass) unmetWait(c *class) Wait {
	if c.why != nil {
		return *c.why
	}
	c.why = &Wait{}
	var suits, misfits []string
	n := 0
	for i := range p.groups {
		g := &p.groups[i]
		if g.Removed {
			continue
		}
		if !c.none && p.suits(c, g) {
			if n++; n == 1 {
				c.why.Group = g.Name
			}
			if n <= shown {
				suits = append(suits, g.Name+": "+p.fullText(c, g))
			}
		} else if n == 0 && len(misfits) < shown {
			misfits = append(misfits, g.Name+": "+p.misfit(c, g).String())
		} else if c.none && len(misfits) == shown {
			break
		}
	}
	switch {
	case n > 0:
		c.why.Text = list(suits, n)
	case len(misfits) == 0:
		c.why.Text = "there is no scale group"
	default:
		c.why.Text = "no scale group has machines for it: " + list(misfits, p.configured())
	}
	return *c.why
}

func (p *pass) configured() int {
	n := 0
	for i := range p.groups {
		if !p.groups[i].Removed {
			n++
		}
	}
	return n
}

// fullText is why a group whose machines suit a class has none for it.
func (p *pass) fullText(c *class, g *group) string {
	if g.availability > Requesting {
		return p.closedText(g)
	}
	closed := ""
	for i := range p.kindsOf(g) {
		k := &p.kinds[g.kinds+int32(i)]
		if p.chance(c, g.kinds+int32(i)).fresh == 0 {
			continue
		}
		if k.open && p.chance(c, g.kinds+int32(i)).scope == across && g.headroom > 0 {
			return fmt.Sprintf("%s %s has no room for a gang of %d even with all of max_slices",
				c.groupBy, k.worker(0)[c.groupBy], c.tasks)
		}
		if k.open {
			return maxText(g) + " or wanted"
		}
		if _, configured := g.Blocked[k.zone]; configured {
			closed = blockText(g, k.zone)
		} else {
			closed = "no slices are asked for in " + k.zone
		}
	}
	return closed
}

// A misfit is why the machines of a group are not for a class.
type misfit struct {
	kind        misfitKind
	need, has   state.Resources  // of tooSmall
	constraints []*pb.Constraint // of unsatisfied
	attribute   string           // of ungrouped
	tasks       int              // of tooFew
	room        int64
	scope       scope
}

type misfitKind uint8

const (
	fits        misfitKind = iota
	tooSmall               // a VM has less than a task needs
	unsatisfied            // no VM satisfies the constraints
	ungrouped              // the workers lack the attribute that the gang is grouped by
	tooFew                 // the gang does not fit on one slice, or one VM
)

// misfit is why the group's machines are not for the class, in the first zone.
func (p *pass) misfit(c *class, g *group) misfit {
	if p.suits(c, g) {
		return misfit{kind: fits}
	}
	if len(p.kindsOf(g)) == 0 {
		return misfit{kind: unsatisfied, constraints: c.set.all}
	}
	of := &p.kinds[g.kinds]
	if !of.capacity.Fits(c.need) {
		return misfit{kind: tooSmall, need: c.need, has: of.capacity}
	}
	if c.set.match(p, g.kinds).fresh.none() {
		var none []*pb.Constraint
		for _, constraint := range c.set.all {
			if p.newSet([]*pb.Constraint{constraint}).match(p, g.kinds).fresh.none() {
				none = append(none, constraint)
			}
		}
		if len(none) == 0 {
			none = c.set.all
		}
		return misfit{kind: unsatisfied, constraints: none}
	}
	scope := p.chance(c, g.kinds).scope
	if scope == nowhere {
		return misfit{kind: ungrouped, attribute: c.groupBy}
	}
	each := slots(of.capacity, c.need, true)
	if scope == oneSlice {
		each *= int64(g.vms())
	}
	return misfit{kind: tooFew, tasks: c.tasks, room: each, scope: scope}
}

// String is such as "needs 64 GiB, has 16 GiB", "needs device-type == cpu".
func (m misfit) String() string {
	switch m.kind {
	case tooSmall:
		return shortText(m.need, m.has)
	case unsatisfied:
		texts := make([]string, len(m.constraints))
		for i, c := range m.constraints {
			texts[i] = state.ConstraintText(c)
		}
		return "needs " + strings.Join(texts, " and ")
	case ungrouped:
		return "its workers have no " + m.attribute
	case tooFew:
		where := "on one worker"
		if m.scope == oneSlice {
			where = "in one slice"
		}
		return fmt.Sprintf("needs room for %s %s, has it for %d", state.CountText(m.tasks, "task"), where, m.room)
	}
	return "fits"
}

// shortText names what there is too little of. Amounts that look alike when rounded are written in bytes.
func shortText(need, has state.Resources) string {
	var needs, have []string
	if need.CPUMillis > has.CPUMillis {
		needs, have = append(needs, state.CPUText(need.CPUMillis)), append(have, state.CPUText(has.CPUMillis))
	}
	if need.MemoryBytes > has.MemoryBytes {
		wants, is := state.BytesText(need.MemoryBytes), state.BytesText(has.MemoryBytes)
		if wants == is {
			wants, is = fmt.Sprintf("%d B", need.MemoryBytes), fmt.Sprintf("%d B", has.MemoryBytes)
		}
		needs, have = append(needs, wants), append(have, is)
	}
	return "needs " + strings.Join(needs, " and ") + ", has " + strings.Join(have, " and ")
}

package vm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/acceptance/chronos"
	"iris/fakevm"
	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// market is a day on which the machines of some groups come and go as others bid for them.
type market struct {
	*Cluster
	dice   *rand.Rand
	spot   []string // groups whose machines are taken away
	jobs   []*client.Job
	billed map[string]span // slices, by what the controller said of them
	seen   map[string]bool // events, by their text
	faults map[string]int
}

// span is the time between two events of a slice.
type span struct{ asked, created, gone time.Time }

// hours is how long the market is open. The race detector makes everything slow, and a shorter day shows as much to it.
func hours() int {
	if chronos.Racing {
		return 2
	}
	return 24
}

var _ = Scenario("a day on a spot market", VM, Chaos, LongStory,
	SlowPolls(5*time.Second),
	ScaleGroups(
		cpu("spot-a", 4, asked(1), at("us-1", "us-2"), pace(state.DefaultPace())),
		tpu("spot-tpu", 2, asked(2), pace(state.DefaultPace())),
		cpu("dear", 3, asked(3), pace(state.DefaultPace())),
	), func(c *Cluster) {
		It("spot_market: every job ends right, whatever is taken away, and no slice is left behind", func(ctx SpecContext) {
			m := &market{
				Cluster: c, dice: rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1)), spot: []string{"spot-a", "spot-tpu"},
				billed: map[string]span{}, seen: map[string]bool{}, faults: map[string]int{},
			}
			for minute := range 60 * hours() {
				if minute%3 == 0 {
					m.submit(ctx, minute)
				}
				m.trade()
				time.Sleep(time.Minute)
				m.book(ctx)
			}
			m.close()
			for _, job := range m.jobs {
				Eventually(ctx, job.Status).WithTimeout(6 * time.Hour).WithPolling(time.Minute).Should(HaveState(SUCCEEDED))
			}
			Eventually(ctx, c.Slices("spot-a")).WithTimeout(time.Hour).WithPolling(30 * time.Second).Should(BeEmpty())
			for _, group := range []string{"spot-tpu", "dear"} {
				Eventually(ctx, c.Slices(group)).WithTimeout(time.Hour).WithPolling(30 * time.Second).Should(BeEmpty())
			}
			m.book(ctx)
			m.settle()
			for fault, n := range m.faults {
				AddReportEntry(fmt.Sprintf("%s happened %d times", fault, n), ReportEntryVisibilityNever)
			}
			Expect(m.faults).To(SatisfyAll(HaveKey("preemption"), HaveKey("notice"), HaveKey("stockout"), HaveKey("quota")))
		})
	})

// submit launches the next of a steady stream of jobs.
func (m *market) submit(ctx context.Context, minute int) {
	d := time.Duration(1+m.dice.IntN(15)) * time.Minute
	spec := client.Spec{Name: fmt.Sprintf("job-%d", minute), Entrypoint: m.Sleeping(d), CPU: float64(1 + m.dice.IntN(4))}
	if m.dice.IntN(8) == 0 {
		spec.Replicas, spec.GroupBy, spec.CPU = 4, "tpu-name", 4
	}
	m.jobs = append(m.jobs, m.Submit(ctx, spec))
}

// trade is what the market does in a minute.
func (m *market) trade() {
	group := m.spot[m.dice.IntN(len(m.spot))]
	cloud := m.Cloud(group)
	live := cloud.Live()
	did := func(fault string, err error) {
		GinkgoHelper()
		Expect(err).NotTo(HaveOccurred())
		m.faults[fault]++
	}
	switch m.dice.IntN(24) {
	case 0:
		if len(live) > 0 {
			did("preemption", cloud.Preempt(live[m.dice.IntN(len(live))].ID()))
		}
	case 1:
		if len(live) > 0 {
			did("notice", cloud.Notice(live[m.dice.IntN(len(live))].ID(), time.Duration(10+m.dice.IntN(60))*time.Second))
		}
	case 2:
		did("stockout", cloud.SetStock("us-1", false))
	case 3:
		did("quota", cloud.SetQuota("us-1", m.dice.IntN(2)))
	case 4:
		cloud.FailTerminations(m.dice.IntN(3))
		did("terminations that fail", nil)
	case 5:
		cloud.SetListLag(time.Duration(m.dice.IntN(20)) * time.Second)
		did("lists out of date", nil)
	case 6:
		modes := []fakevm.FailureMode{fakevm.CreateFails, fakevm.InitStuck, fakevm.BootStuck, fakevm.CreatePartial, fakevm.CreateHangs}
		cloud.SetLateBy(time.Duration(m.dice.IntN(400)) * time.Second)
		cloud.SetFailureMode(modes[m.dice.IntN(len(modes))])
		did("creations that fail", nil)
	case 7:
		if vms := running(live); len(vms) > 0 {
			did("machines that fail", cloud.FailVM(vms[m.dice.IntN(len(vms))], "the disk is broken"))
		}
	case 8, 9, 10, 11:
		m.heal(cloud)
	}
}

// running are the machines of slices that are up.
func running(live []vm.Slice) []string {
	var ids []string
	for _, s := range live {
		for _, v := range s.Status().VMs {
			if v.State == vm.Ready {
				ids = append(ids, v.ID)
			}
		}
	}
	return ids
}

// heal ends what a platform suffers from.
func (m *market) heal(cloud *fakevm.Manager) {
	GinkgoHelper()
	cloud.SetFailureMode(fakevm.None)
	cloud.FailTerminations(0)
	cloud.SetListLag(0)
	Expect(cloud.SetStock("us-1", true)).To(Succeed())
	Expect(cloud.SetQuota("us-1", -1)).To(Succeed())
}

// close ends the trade.
func (m *market) close() {
	for _, group := range m.spot {
		m.heal(m.Cloud(group))
	}
}

// book takes down what the controller says of its slices, and that its own state holds.
func (m *market) book(ctx context.Context) {
	GinkgoHelper()
	fleet, err := m.Fleet(ctx)
	Expect(err).NotTo(HaveOccurred())
	for _, e := range fleet.Events {
		id := fmt.Sprint(e.At.AsTime(), e.SliceId, e.Kind)
		if m.seen[id] {
			continue
		}
		m.seen[id] = true
		s := m.billed[e.SliceId]
		switch e.Kind {
		case pb.SliceEventKind_SLICE_EVENT_KIND_REQUESTED:
			s.asked = e.At.AsTime()
		case pb.SliceEventKind_SLICE_EVENT_KIND_CREATED, pb.SliceEventKind_SLICE_EVENT_KIND_ADOPTED:
			if s.created.IsZero() {
				s.created = e.At.AsTime()
			}
		case pb.SliceEventKind_SLICE_EVENT_KIND_GONE:
			s.gone = e.At.AsTime()
		}
		m.billed[e.SliceId] = s
	}
	counts := map[string]int32{}
	for _, s := range fleet.Slices {
		if s.State != pb.VmState_VM_STATE_STOPPING { // it may be one too many that arrived late
			counts[s.Group]++
		}
	}
	for _, g := range fleet.Groups {
		Expect(counts[g.Name]).To(BeNumerically("<=", g.MaxSlices), g.Name)
	}
}

// reportingDelay is by how much the controller may be late to hear of a slice, or of its end: what a list does not show any
// more counts as gone after a minute, and here lists are out of date by up to 20 s; and the first of the machines of a slice
// that fails is billed for less than the last.
const reportingDelay = 2 * time.Minute

// settle compares the bills with the books: each slice that was ever billed is in the books, for as long as it was billed.
func (m *market) settle() {
	GinkgoHelper()
	billed := time.Duration(0)
	for group, machines := range map[string]int{"spot-a": 1, "spot-tpu": 4, "dear": 1} {
		for id, cost := range m.Cloud(group).Bill() {
			s := m.billed[id]
			billed += cost
			each := cost / time.Duration(machines)
			Expect(s.asked.IsZero() || s.gone.IsZero()).To(BeFalse(), "%s cost %v, and in the books it is %+v", id, cost, s)
			if s.created.IsZero() { // it was given up unanswered, came, and was given back
				Expect(each).To(BeNumerically("<", s.gone.Sub(s.asked)), "%s cost more than it is in the books", id)
				continue
			}
			Expect(s.gone.Sub(s.created)).To(BeNumerically("~", each, reportingDelay), "the time that %s is in the books", id)
		}
	}
	AddReportEntry("billed", billed.String(), ReportEntryVisibilityNever)
}

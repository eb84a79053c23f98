package schedule

import (
	"fmt"
	"strconv"
	"strings"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// Reason is why a task waits: what is true of every worker. The fields beyond Candidates are set for the kinds that
// they name, and zero otherwise. String writes it for people.
type Reason struct {
	Kind pb.PendingReason_Kind
	// Need is what one task needs.
	Need state.Resources
	// Workers counts the live workers, Candidates those of them that satisfy the constraints.
	Workers, Candidates int
	// Constraints are the request's. Of CONSTRAINTS: those that no worker satisfies or, if Together, all, each of
	// which some worker satisfies, but none all of them.
	Constraints []*pb.Constraint
	Together    bool
	// Short is of TOO_LARGE and NO_CAPACITY: what every candidate has too little of. Empty: every dimension is to be
	// had somewhere, but nowhere all at once.
	Short []Shortage
	// Avoided is of NO_CAPACITY and GANG: the workers that have room but are avoided after a failed dispatch.
	Avoided []string
	// Group is of GANG.
	Group GroupRoom
}

// Shortage is a dimension of which every candidate has too little.
type Shortage struct {
	Dimension Dimension
	// Most is the largest amount that a candidate has (TOO_LARGE) or has free (NO_CAPACITY), Worker who has it.
	Most   int64
	Worker string
}

// GroupRoom is why a gang waits.
type GroupRoom struct {
	// By is the attribute whose value the gang's workers must share.
	By string
	// Tasks is the size of the gang.
	Tasks int
	// Groups counts the values that candidates have. 0: no candidate has the attribute.
	Groups int
	// Roomiest is the value of the group with the most room, and Room the number of tasks that it has room for: now or,
	// if EvenEmpty, when it is empty.
	Roomiest string
	Room     int64
	// EvenEmpty says that no group could take the gang even if nothing ran on it.
	EvenEmpty bool
}

// Dimension is a kind of resource.
type Dimension int

// The dimensions of state.Resources.
const (
	CPU    Dimension = iota // in thousandths of a core
	Memory                  // in bytes
)

var dimensions = [...]Dimension{CPU, Memory}

func (d Dimension) of(r state.Resources) int64 {
	if d == CPU {
		return r.CPUMillis
	}
	return r.MemoryBytes
}

func (d Dimension) text(amount int64) string {
	if d == CPU {
		return state.CPUText(amount)
	}
	return state.BytesText(amount)
}

// String is the words used everywhere: "needs 16 GiB, largest free is 4 GiB on w-3; 49 workers".
func (reason Reason) String() string {
	switch reason.Kind {
	case pb.PendingReason_KIND_NEXT_PASS:
		return "will be placed in the next pass"
	case pb.PendingReason_KIND_NO_WORKERS:
		return "no live worker"
	case pb.PendingReason_KIND_TOO_LARGE:
		return reason.tooLargeText() + "; " + reason.countText()
	case pb.PendingReason_KIND_NO_CAPACITY:
		return reason.noCapacityText()
	case pb.PendingReason_KIND_CONSTRAINTS:
		return reason.constraintsText() + "; " + state.CountText(reason.Workers, "worker")
	case pb.PendingReason_KIND_GANG:
		return reason.gangText()
	}
	return "waits: " + reason.Kind.String()
}

func (reason Reason) tooLargeText() string {
	need, has := reason.shortText()
	switch {
	case len(has) == 0:
		return "needs " + needText(reason.Need) + ", no worker has both"
	case reason.oneWorker():
		return fmt.Sprintf("needs %s, the largest worker %s has %s", need, reason.Short[0].Worker,
			strings.Join(has, " and "))
	}
	for i, s := range reason.Short {
		has[i] += " (" + s.Worker + ")"
	}
	return "needs " + need + ", the largest workers have " + strings.Join(has, " and ")
}

func (reason Reason) noCapacityText() string {
	if len(reason.Avoided) > 0 {
		return avoidsText(reason.Avoided) + "; no other worker has room" + reason.filterText()
	}
	need, has := reason.shortText()
	if len(has) == 0 {
		return "needs " + needText(reason.Need) + ", no worker has both free; " + reason.countText()
	}
	for i, s := range reason.Short {
		if last := i == len(has)-1; last || !reason.oneWorker() {
			has[i] += " on " + s.Worker
		}
	}
	return "needs " + need + ", largest free is " + strings.Join(has, " and ") + "; " + reason.countText()
}

func (reason Reason) constraintsText() string {
	if reason.Together {
		return "no worker satisfies all of: " + constraintsText(reason.Constraints)
	}
	var none []string
	for _, c := range reason.Constraints {
		switch c.Op {
		case pb.ConstraintOp_CONSTRAINT_OP_EXISTS:
			none = append(none, "no worker has the attribute "+c.Key)
		case pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS:
			none = append(none, "every worker has the attribute "+c.Key)
		default:
			none = append(none, "no worker has "+state.ConstraintText(c))
		}
	}
	return strings.Join(none, ", ")
}

func (reason Reason) gangText() string {
	group := reason.Group
	gang := fmt.Sprintf("gang of %d tasks (%s each)", group.Tasks, needText(reason.Need))
	if group.Tasks == 1 {
		gang = fmt.Sprintf("gang of 1 task (%s)", needText(reason.Need))
	}
	switch {
	case group.Groups == 0:
		return "no worker has the attribute " + group.By + "; " + reason.countText()
	case len(reason.Avoided) > 0:
		without := "them"
		if len(reason.Avoided) == 1 {
			without = "it"
		}
		return fmt.Sprintf("%s; without %s the %s fits no %s%s",
			avoidsText(reason.Avoided), without, gang, group.By, reason.filterText())
	case group.EvenEmpty:
		return fmt.Sprintf("%s fits no %s even when empty; the largest, %s, takes %d%s",
			gang, group.By, group.Roomiest, group.Room, reason.filterText())
	case group.Room == 0:
		return fmt.Sprintf("%s fits no %s; none has room for even one%s", gang, group.By, reason.filterText())
	}
	return fmt.Sprintf("%s fits no %s; most room is for %d in %s%s",
		gang, group.By, group.Room, group.Roomiest, reason.filterText())
}

// oneWorker reports whether the same worker has the most of every dimension that is short.
func (reason Reason) oneWorker() bool {
	return reason.Short[0].Worker == reason.Short[len(reason.Short)-1].Worker
}

// shortText writes what is needed, and what there is, of each dimension that is short. Amounts that look alike when
// rounded are written in bytes.
func (reason Reason) shortText() (need string, has []string) {
	var needs []string
	for _, s := range reason.Short {
		wanted := s.Dimension.of(reason.Need)
		wants, have := s.Dimension.text(wanted), s.Dimension.text(s.Most)
		if wants == have {
			wants, have = strconv.FormatInt(wanted, 10)+" B", strconv.FormatInt(s.Most, 10)+" B"
		}
		needs, has = append(needs, wants), append(has, have)
	}
	return strings.Join(needs, " and "), has
}

// countText is how many workers the words before it are true of.
func (reason Reason) countText() string {
	if filter := reason.filterText(); filter != "" {
		return strings.TrimPrefix(filter, "; ")
	}
	return state.CountText(reason.Workers, "worker")
}

// filterText says that only some workers count, if so.
func (reason Reason) filterText() string {
	switch reason.Candidates {
	case reason.Workers:
		return ""
	case 1:
		return fmt.Sprintf("; of %s only 1 satisfies %s", state.CountText(reason.Workers, "worker"), constraintsText(reason.Constraints))
	}
	return fmt.Sprintf("; of %s only %d satisfy %s",
		state.CountText(reason.Workers, "worker"), reason.Candidates, constraintsText(reason.Constraints))
}

func avoidsText(workers []string) string {
	if len(workers) == 1 {
		return "avoids " + workers[0] + " after a failed dispatch"
	}
	return "avoids " + strings.Join(workers, ", ") + " after failed dispatches"
}

func constraintsText(constraints []*pb.Constraint) string {
	texts := make([]string, len(constraints))
	for i, c := range constraints {
		texts[i] = state.ConstraintText(c)
	}
	return strings.Join(texts, ", ")
}

// needText leaves out what is not needed.
func needText(need state.Resources) string {
	var texts []string
	for _, d := range dimensions {
		if amount := d.of(need); amount > 0 {
			texts = append(texts, d.text(amount))
		}
	}
	if len(texts) == 0 {
		return "nothing"
	}
	return strings.Join(texts, " and ")
}

package state

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

// Limits of what one job may ask for.
const (
	maxCPUMillis   = 100_000 * 1000 // of a task: 100 000 cores
	maxMemoryBytes = 1 << 50        // of a task: 1 PiB
	maxReplicas    = 10_000
	maxNameRunes   = 128
	maxPorts       = 64
	maxEnvironment = 1_000   // entries
	maxSpecBytes   = 1 << 20 // of the spec on the wire: 1 MiB
)

// reservedPrefix begins the variables that Iris itself sets for a task.
const reservedPrefix = "IRIS_"

var (
	idPattern   = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)
	sumPattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	portPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Validate reports all mistakes in a job that is to be launched, as one *Error of kind InvalidArgument: each with its
// field, the value and what is allowed, separated by "; ". After a hundred they are only counted, so that the text
// always fits into a reply. No spec counts as an empty one.
func Validate(id string, spec *pb.JobSpec) error {
	if spec == nil {
		spec = &pb.JobSpec{}
	}
	var m mistakes
	m.id("job_id", id)
	if spec.ParentJobId != "" {
		m.id("parent_job_id", spec.ParentJobId)
	}
	m.name(spec.Name)
	m.entrypoint(spec.Entrypoint)
	m.resources(spec.Resources)
	m.replicas(spec)
	m.constraints(spec.Constraints)
	m.budget("max_retries_failure", spec.MaxRetriesFailure)
	m.budget("max_retries_preemption", spec.MaxRetriesPreemption)
	m.budget("max_task_failures", spec.MaxTaskFailures)
	m.duration("timeout", spec.Timeout)
	m.duration("scheduling_timeout", spec.SchedulingTimeout)
	m.environment(spec.Environment)
	m.ports(spec.Ports)
	_, known := pb.PriorityBand_name[int32(spec.Priority)]
	m.unless(known, "priority", spec.Priority, "be PRODUCTION, INTERACTIVE, BATCH or unspecified")
	sum := spec.BundleSha256
	m.unless(sum == "" || sumPattern.MatchString(sum), "bundle_sha256", sum, "be empty or 64 lower-case hex digits")
	size := proto.Size(spec)
	m.unless(size <= maxSpecBytes, "the size of the spec", size, "be at most %d bytes", maxSpecBytes)
	return m.err(id)
}

// mistakes are what is wrong so far.
type mistakes []string

// unless notes a mistake in a field unless it is fine; rule completes the sentence "it must …".
func (m *mistakes) unless(fine bool, field string, value any, rule string, args ...any) {
	if fine {
		return
	}
	if text, ok := value.(string); ok {
		value = clipped(text)
	}
	*m = append(*m, fmt.Sprintf("%s is %v: it must %s", field, value, fmt.Sprintf(rule, args...)))
}

func (m mistakes) err(id string) error {
	const most = 100
	switch n := len(m); {
	case n == 0:
		return nil
	case n > most:
		m = append(m[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return &Error{InvalidArgument, fmt.Sprintf("job %s cannot be launched: %s", clipped(id), strings.Join(m, "; "))}
}

// clipped quotes a text, long ones up to a point.
func clipped(text string) string {
	const most = 140
	if utf8.RuneCountInString(text) <= most {
		return strconv.Quote(text)
	}
	return strconv.Quote(string([]rune(text)[:most])) + "…"
}

// id holds ids to characters that are safe in paths and in attempt uids; "." and ".." are not safe in paths.
func (m *mistakes) id(field, id string) {
	m.unless(idPattern.MatchString(id) && strings.Trim(id, ".") != "", field, id,
		"be 1 to 128 of [a-zA-Z0-9._-] and not only dots")
}

func (m *mistakes) name(name string) {
	n := utf8.RuneCountInString(name)
	m.unless(n >= 1 && n <= maxNameRunes, "name", name, "have 1 to %d characters, not %d", maxNameRunes, n)
	m.unless(utf8.ValidString(name), "name", name, "be valid UTF-8")
	m.unless(!strings.Contains(name, "/"), "name", name, "have no '/'")
	m.unless(!strings.ContainsFunc(name, unicode.IsControl), "name", name, "have no control characters")
	m.unless(name == "" || strings.TrimSpace(name) != "", "name", name, "not be only spaces")
}

func (m *mistakes) entrypoint(e *pb.Entrypoint) {
	switch kind := e.GetKind().(type) {
	case *pb.Entrypoint_Command:
		argv := kind.Command.GetArgv()
		m.unless(len(argv) > 0 && argv[0] != "", "entrypoint.command.argv[0]", "", "be a program")
		for i, arg := range argv {
			m.unless(!strings.Contains(arg, "\x00"), fmt.Sprintf("entrypoint.command.argv[%d]", i), arg, "have no NUL")
		}
	case *pb.Entrypoint_Function:
		m.unless(kind.Function.GetName() != "", "entrypoint.function.name", "", "be the name of a function")
	default:
		m.unless(false, "entrypoint", "", "be a command or a function")
	}
}

func (m *mistakes) resources(r *pb.Resources) {
	cpu, memory := r.GetCpuMillis(), r.GetMemoryBytes()
	m.unless(cpu > 0 && cpu <= maxCPUMillis, "resources.cpu_millis", cpu, "be 1 to %d", maxCPUMillis)
	m.unless(memory > 0 && memory <= maxMemoryBytes, "resources.memory_bytes", memory,
		"be 1 to %d", maxMemoryBytes)
}

func (m *mistakes) replicas(spec *pb.JobSpec) {
	n := replicas(spec)
	m.unless(n >= 1 && n <= maxReplicas, "replicas", n, "be 1 to %d", maxReplicas)
	gang := spec.Coscheduling
	m.unless(gang == nil || gang.GroupBy != "", "coscheduling.group_by", "", "name a worker attribute, such as %q",
		AttributeWorker)
}

func (m *mistakes) constraints(all []*pb.Constraint) {
	for i, c := range all {
		field := fmt.Sprintf("constraints[%d].", i)
		m.unless(c.GetKey() != "", field+"key", "", "name a worker attribute")
		value := c.GetValue()
		switch c.GetOp() {
		case pb.ConstraintOp_CONSTRAINT_OP_EQ, pb.ConstraintOp_CONSTRAINT_OP_NE:
			m.unless(value != "", field+"value", value, "be set for %v", c.Op)
		case pb.ConstraintOp_CONSTRAINT_OP_EXISTS, pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS:
			m.unless(value == "", field+"value", value, "be empty for %v", c.Op)
		case pb.ConstraintOp_CONSTRAINT_OP_GT, pb.ConstraintOp_CONSTRAINT_OP_GE,
			pb.ConstraintOp_CONSTRAINT_OP_LT, pb.ConstraintOp_CONSTRAINT_OP_LE:
			n, err := strconv.ParseFloat(value, 64)
			finite := err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
			m.unless(finite, field+"value", value, "be a number for %v", c.Op)
		default:
			m.unless(false, field+"op", c.GetOp(), "be EQ, NE, EXISTS, NOT_EXISTS, GT, GE, LT or LE")
		}
	}
}

func (m *mistakes) budget(field string, n *int32) {
	m.unless(n == nil || *n >= 0, field, orDefault(n, 0), "be 0 or more")
}

func (m *mistakes) duration(field string, d *durationpb.Duration) {
	if d == nil {
		return
	}
	if !d.IsValid() {
		m.unless(false, field, fmt.Sprintf("%d s and %d ns", d.Seconds, d.Nanos),
			"be within 10 000 years, seconds and nanoseconds of one sign")
		return
	}
	m.unless(d.AsDuration() > 0, field, d.AsDuration(), "be more than zero")
}

func (m *mistakes) environment(variables map[string]string) {
	m.unless(len(variables) <= maxEnvironment, "the number of environment variables", len(variables),
		"be at most %d", maxEnvironment)
	for _, key := range slices.Sorted(maps.Keys(variables)) {
		m.unless(key != "" && !strings.ContainsAny(key, "=\x00"), "environment key", beforeValue(key),
			"be set and have no '=' or NUL")
		m.unless(!strings.HasPrefix(key, reservedPrefix), "environment key", beforeValue(key),
			"not begin with %s, which is reserved", reservedPrefix)
		m.unless(!strings.Contains(variables[key], "\x00"), fmt.Sprintf("environment[%s]", clipped(beforeValue(key))),
			"(not shown)", "have no NUL") // a value may be a secret (FM-86)
	}
}

// beforeValue leaves out what may be a value in the wrong place, as in "PASSWORD=secret", and so a secret (FM-86).
func beforeValue(key string) string {
	if i := strings.IndexAny(key, "=\x00"); i >= 0 {
		return key[:i+1] + "…"
	}
	return key
}

func (m *mistakes) ports(names []string) {
	m.unless(len(names) <= maxPorts, "the number of ports", len(names), "be at most %d", maxPorts)
	first := map[string]int{}
	for i, name := range names {
		field, key := fmt.Sprintf("ports[%d]", i), strings.ToLower(name)
		m.unless(portPattern.MatchString(name), field, name, "be letters, digits and '_', not beginning with a digit")
		earlier, taken := first[key]
		m.unless(!taken, field, name, "differ from ports[%d] in more than case", earlier)
		if !taken {
			first[key] = i
		}
	}
}

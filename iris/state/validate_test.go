package state

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

// An edit makes one change to a correct spec.
type edit func(*pb.JobSpec)

func correctSpec(edits ...edit) *pb.JobSpec {
	spec := &pb.JobSpec{
		Name: "train", Entrypoint: command("python", "train.py"),
		Resources: &pb.Resources{CpuMillis: 1000, MemoryBytes: 1 << 30},
	}
	for _, e := range edits {
		e(spec)
	}
	return spec
}

func command(argv ...string) *pb.Entrypoint {
	return &pb.Entrypoint{Kind: &pb.Entrypoint_Command{Command: &pb.Command{Argv: argv}}}
}

func named(name string) edit      { return func(s *pb.JobSpec) { s.Name = name } }
func running(argv ...string) edit { return func(s *pb.JobSpec) { s.Entrypoint = command(argv...) } }
func calling(name string) edit {
	return func(s *pb.JobSpec) {
		s.Entrypoint = &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: name}}}
	}
}
func needing(cpuMillis, memory int64) edit {
	return func(s *pb.JobSpec) { s.Resources = &pb.Resources{CpuMillis: cpuMillis, MemoryBytes: memory} }
}
func replicated(n int32) edit { return func(s *pb.JobSpec) { s.Replicas = &n } }
func grouped(by string) edit {
	return func(s *pb.JobSpec) { s.Coscheduling = &pb.Coscheduling{GroupBy: by} }
}
func where(key string, op pb.ConstraintOp, value string) edit {
	return func(s *pb.JobSpec) {
		s.Constraints = append(s.Constraints, &pb.Constraint{Key: key, Op: op, Value: value})
	}
}
func budgets(failure, preemption, tasks int32) edit {
	return func(s *pb.JobSpec) {
		s.MaxRetriesFailure, s.MaxRetriesPreemption, s.MaxTaskFailures = &failure, &preemption, &tasks
	}
}
func timing(timeout, scheduling *durationpb.Duration) edit {
	return func(s *pb.JobSpec) { s.Timeout, s.SchedulingTimeout = timeout, scheduling }
}
func below(parent string) edit    { return func(s *pb.JobSpec) { s.ParentJobId = parent } }
func bundled(sum string) edit     { return func(s *pb.JobSpec) { s.BundleSha256 = sum } }
func ported(names ...string) edit { return func(s *pb.JobSpec) { s.Ports = names } }
func variable(key, value string) edit {
	return func(s *pb.JobSpec) {
		if s.Environment == nil {
			s.Environment = map[string]string{}
		}
		s.Environment[key] = value
	}
}
func banded(band int32) edit { return func(s *pb.JobSpec) { s.Priority = pb.PriorityBand(band) } }

func manyPorts(n int) edit {
	return func(s *pb.JobSpec) {
		for i := range n {
			s.Ports = append(s.Ports, fmt.Sprintf("p%d", i))
		}
	}
}

func manyVariables(n int) edit {
	return func(s *pb.JobSpec) {
		for i := range n {
			variable(fmt.Sprintf("V%d", i), "x")(s)
		}
	}
}

// sized fills the spec up to a number of bytes on the wire.
func sized(bytes int) edit {
	return func(s *pb.JobSpec) {
		running("x", strings.Repeat("a", bytes))(s)
		running("x", strings.Repeat("a", bytes-(proto.Size(s)-bytes)))(s)
	}
}

const noDuration = "it must be within 10 000 years, seconds and nanoseconds of one sign"

const (
	eq        = pb.ConstraintOp_CONSTRAINT_OP_EQ
	ne        = pb.ConstraintOp_CONSTRAINT_OP_NE
	exists    = pb.ConstraintOp_CONSTRAINT_OP_EXISTS
	notExists = pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS
	gt        = pb.ConstraintOp_CONSTRAINT_OP_GT
	le        = pb.ConstraintOp_CONSTRAINT_OP_LE
)

func TestValidateNamesFieldValueAndRule(t *testing.T) {
	second, long := durationpb.New(time.Second), strings.Repeat("é", 128)
	for _, c := range []struct {
		rule    string
		good    edit
		bad     edit
		mistake string // without what comes before it
	}{
		{"a name is not empty", named("x"), named(""), `name is "": it must have 1 to 128 characters, not 0`},
		{"a name has at most 128 characters, however many bytes", named(long), named(long + "é"),
			`name is "` + long + `é": it must have 1 to 128 characters, not 129`},
		{"a name is UTF-8", named("naïve"), named("a\xff"), `name is "a\xff": it must be valid UTF-8`},
		{"a name has no slash", named(`a\b`), named("a/b"), `name is "a/b": it must have no '/'`},
		{"a name has no control characters", named("a b"), named("a\nb"),
			`name is "a\nb": it must have no control characters`},
		{"a name is not only spaces", named(" a "), named("  "), `name is "  ": it must not be only spaces`},
		{"there is an entrypoint", running("x"), func(s *pb.JobSpec) { s.Entrypoint = nil },
			`entrypoint is "": it must be a command or a function`},
		{"an entrypoint is of some kind", running("x"), func(s *pb.JobSpec) { s.Entrypoint = &pb.Entrypoint{} },
			`entrypoint is "": it must be a command or a function`},
		{"a command has words", running("x"), running(), `entrypoint.command.argv[0] is "": it must be a program`},
		{"a command has a program, other words may be empty", running("x", ""), running("", "x"),
			`entrypoint.command.argv[0] is "": it must be a program`},
		{"no word of a command has NUL", running("x", "a\tb"), running("x", "a\x00b"),
			`entrypoint.command.argv[1] is "a\x00b": it must have no NUL`},
		{"a function has a name", calling("f"), calling(""),
			`entrypoint.function.name is "": it must be the name of a function`},
		{"resources are set", needing(1, 1), func(s *pb.JobSpec) { s.Resources = nil },
			`resources.cpu_millis is 0: it must be 1 to 100000000; ` +
				`resources.memory_bytes is 0: it must be 1 to 1125899906842624`},
		{"some CPU is needed", needing(1, 1), needing(0, 1), `resources.cpu_millis is 0: it must be 1 to 100000000`},
		{"a need of CPU is not negative", needing(1, 1), needing(-1, 1),
			`resources.cpu_millis is -1: it must be 1 to 100000000`},
		{"at most 100 000 cores", needing(100_000_000, 1), needing(100_000_001, 1),
			`resources.cpu_millis is 100000001: it must be 1 to 100000000`},
		{"some memory is needed", needing(1, 1), needing(1, 0),
			`resources.memory_bytes is 0: it must be 1 to 1125899906842624`},
		{"at most 1 PiB", needing(1, 1<<50), needing(1, 1<<50+1),
			`resources.memory_bytes is 1125899906842625: it must be 1 to 1125899906842624`},
		{"at least one replica", replicated(1), replicated(0), `replicas is 0: it must be 1 to 10000`},
		{"at most 10 000 replicas", replicated(10_000), replicated(10_001), `replicas is 10001: it must be 1 to 10000`},
		{"a gang is grouped by something", grouped("slice"), grouped(""),
			`coscheduling.group_by is "": it must name a worker attribute, such as "worker"`},
		{"a constraint has a key", where("zone", eq, "a"), where("", eq, "a"),
			`constraints[0].key is "": it must name a worker attribute`},
		{"a constraint has an operator", where("zone", ne, "a"), where("zone", 0, "a"),
			`constraints[0].op is CONSTRAINT_OP_UNSPECIFIED: it must be EQ, NE, EXISTS, NOT_EXISTS, GT, GE, LT or LE`},
		{"an operator is known", where("zone", le, "1"), where("zone", 9, "a"),
			`constraints[0].op is 9: it must be EQ, NE, EXISTS, NOT_EXISTS, GT, GE, LT or LE`},
		{"EQ has a value", where("zone", eq, " "), where("zone", eq, ""),
			`constraints[0].value is "": it must be set for CONSTRAINT_OP_EQ`},
		{"NE has a value", where("zone", ne, "a"), where("zone", ne, ""),
			`constraints[0].value is "": it must be set for CONSTRAINT_OP_NE`},
		{"EXISTS has none", where("zone", exists, ""), where("zone", exists, "a"),
			`constraints[0].value is "a": it must be empty for CONSTRAINT_OP_EXISTS`},
		{"NOT_EXISTS has none", where("zone", notExists, ""), where("zone", notExists, "a"),
			`constraints[0].value is "a": it must be empty for CONSTRAINT_OP_NOT_EXISTS`},
		{"an ordering has a value", where("n", gt, "0"), where("n", gt, ""),
			`constraints[0].value is "": it must be a number for CONSTRAINT_OP_GT`},
		{"an ordering has a number", where("n", le, "-1.5"), where("n", le, "many"),
			`constraints[0].value is "many": it must be a number for CONSTRAINT_OP_LE`},
		{"an ordering has a number that compares", where("n", le, "1e308"), where("n", le, "NaN"),
			`constraints[0].value is "NaN": it must be a number for CONSTRAINT_OP_LE`},
		{"the failure budget", budgets(0, 0, 0), budgets(-1, 0, 0), `max_retries_failure is -1: it must be 0 or more`},
		{"the preemption budget", budgets(0, 0, 0), budgets(0, -1, 0),
			`max_retries_preemption is -1: it must be 0 or more`},
		{"the budget of tasks", budgets(0, 0, math.MaxInt32), budgets(0, 0, -1),
			`max_task_failures is -1: it must be 0 or more`},
		{"a timeout is not zero", timing(durationpb.New(1), nil), timing(durationpb.New(0), nil),
			`timeout is 0s: it must be more than zero`},
		{"a timeout is not negative", timing(second, nil), timing(durationpb.New(-time.Second), nil),
			`timeout is -1s: it must be more than zero`},
		{"a timeout is a duration", timing(&durationpb.Duration{Seconds: 315_576_000_000}, nil),
			timing(&durationpb.Duration{Seconds: 1, Nanos: -1}, nil),
			`timeout is "1 s and -1 ns": ` + noDuration},
		{"a scheduling timeout is not zero", timing(nil, durationpb.New(1)), timing(nil, durationpb.New(0)),
			`scheduling_timeout is 0s: it must be more than zero`},
		{"a scheduling timeout is not negative", timing(nil, second), timing(nil, durationpb.New(-1)),
			`scheduling_timeout is -1ns: it must be more than zero`},
		{"a scheduling timeout is a duration", timing(nil, second),
			timing(nil, &durationpb.Duration{Seconds: 315_576_000_001}),
			`scheduling_timeout is "315576000001 s and 0 ns": ` + noDuration},
		{"a parent is an id", below("p.1_a-B"), below("p/1"),
			`parent_job_id is "p/1": it must be 1 to 128 of [a-zA-Z0-9._-] and not only dots`},
		{"a bundle is a hash", bundled(strings.Repeat("0f", 32)), bundled(strings.Repeat("0F", 32)),
			`bundle_sha256 is "` + strings.Repeat("0F", 32) + `": it must be empty or 64 lower-case hex digits`},
		{"a hash is whole", bundled(""), bundled("0f"),
			`bundle_sha256 is "0f": it must be empty or 64 lower-case hex digits`},
		{"a port can be part of a variable", ported("_http2"), ported("2http"),
			`ports[0] is "2http": it must be letters, digits and '_', not beginning with a digit`},
		{"a port has no other characters", ported("a", "b_"), ported("a", "b-"),
			`ports[1] is "b-": it must be letters, digits and '_', not beginning with a digit`},
		{"a port has a name", ported("a"), ported(""),
			`ports[0] is "": it must be letters, digits and '_', not beginning with a digit`},
		{"ports differ in more than case", ported("a", "b", "a2"), ported("a", "b", "A"),
			`ports[2] is "A": it must differ from ports[0] in more than case`},
		{"at most 64 ports", manyPorts(64), manyPorts(65), `the number of ports is 65: it must be at most 64`},
		{"a variable has a name", variable("A", ""), variable("", "x"),
			`environment key is "": it must be set and have no '=' or NUL`},
		{"a variable has no '='", variable("A", "b=c"), variable("A=b", "c"),
			`environment key is "A=…": it must be set and have no '=' or NUL`},
		{"a variable's name has no NUL", variable("A", "b"), variable("A\x00", "b"),
			`environment key is "A\x00…": it must be set and have no '=' or NUL`},
		{"a variable's value has no NUL, and is not shown", variable("A", "b\n"), variable("A", "secret\x00"),
			`environment["A"] is "(not shown)": it must have no NUL`},
		{"IRIS_ is reserved", variable("IRIS", "x"), variable("IRIS_X", "x"),
			`environment key is "IRIS_X": it must not begin with IRIS_, which is reserved`},
		{"at most 1 000 variables", manyVariables(1000), manyVariables(1001),
			`the number of environment variables is 1001: it must be at most 1000`},
		{"a priority is known", banded(3), banded(4),
			`priority is 4: it must be PRODUCTION, INTERACTIVE, BATCH or unspecified`},
		{"a spec has at most 1 MiB", sized(1 << 20), sized(1<<20 + 1),
			`the size of the spec is 1048577: it must be at most 1048576 bytes`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if err := Validate("j", correctSpec(c.good)); err != nil {
				t.Errorf("a correct spec is refused: %v", err)
			}
			want := `job "j" cannot be launched: ` + c.mistake
			if got := refusal(t, "j", correctSpec(c.bad)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// refusal is the text with which a job is refused.
func refusal(t *testing.T, id string, spec *pb.JobSpec) string {
	t.Helper()
	err := Validate(id, spec)
	var refused *Error
	if !errors.As(err, &refused) || refused.Kind != InvalidArgument {
		t.Fatalf("Validate is %v, not an *Error of kind InvalidArgument", err)
	}
	return refused.Text
}

func TestValidateHoldsIDsToSafeCharacters(t *testing.T) {
	long := strings.Repeat("a", 128)
	for _, id := range []string{"a", "A.b_c-9", ".a", "...a", long} {
		if err := Validate(id, correctSpec()); err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
	}
	for _, id := range []string{"", "a b", "a/b", "é", "a\n", "\n", ".", "..", long + "a"} {
		want := fmt.Sprintf("job %q cannot be launched: job_id is %q: "+
			"it must be 1 to 128 of [a-zA-Z0-9._-] and not only dots", id, id)
		if got := refusal(t, id, correctSpec()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestValidateReportsAllMistakesAtOnce(t *testing.T) {
	got := refusal(t, "a b", correctSpec(named("x/y"), replicated(0), ported("1", "1"), variable("", "")))
	want := `job "a b" cannot be launched: ` +
		`job_id is "a b": it must be 1 to 128 of [a-zA-Z0-9._-] and not only dots; ` +
		`name is "x/y": it must have no '/'; ` +
		`replicas is 0: it must be 1 to 10000; ` +
		`environment key is "": it must be set and have no '=' or NUL; ` +
		`ports[0] is "1": it must be letters, digits and '_', not beginning with a digit; ` +
		`ports[1] is "1": it must be letters, digits and '_', not beginning with a digit; ` +
		`ports[1] is "1": it must differ from ports[0] in more than case`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidateTakesNoSpecForAnEmptyOne(t *testing.T) {
	if got, want := refusal(t, "j", nil), refusal(t, "j", &pb.JobSpec{}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidateFitsIntoAReply(t *testing.T) {
	spec := correctSpec(named(strings.Repeat("/", 1<<20)))
	for i := range 20_000 {
		variable(fmt.Sprintf("=%05d%s", i, strings.Repeat("k", 500)), "\x00")(spec)
	}
	got := refusal(t, strings.Repeat("i", 1<<20), spec)
	if len(got) > 64<<10 || !strings.HasSuffix(got, "; and 39905 more") {
		t.Errorf("%d bytes, ending with %q", len(got), got[len(got)-40:])
	}
}

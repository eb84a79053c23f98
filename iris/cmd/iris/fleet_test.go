package main

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"iris/fakevm"
	"iris/iris/cluster"
	"iris/iris/config"
	pb "iris/iris/proto"
)

// scaledCluster has a group whose machines are there at once, one whose machines boot for as long as any test, one that
// nothing waits for, and nothing is given back.
const scaledCluster = `
name: scaled
autoscaler: {list_interval: 20ms, evaluation_interval: 20ms, pace: {scale_up_cooldown: 20ms, idle_threshold: 1h, boot_timeout: 24h, backoff_initial: 1h, backoff_max: 1h, quota_timeout: 1h}}
groups:
  - {name: fast, platform: local, cpu: 4, memory: 16GiB, min_slices: 1, max_slices: 3, zones: [us-1, us-2]}
  - {name: slow, platform: local, variant: v5litepod-16, cpu: 8, memory: 32GiB, min_slices: 1, max_slices: 2, zones: [eu-1], boot_delay: 24h, after: [fast]}
  - {name: never, platform: local, cpu: 1, memory: 1GiB, max_slices: 1, zones: [eu-1], after: [slow]}
`

// scaled runs a cluster of scale groups in this process until the test ends. Its first slices are there: fast-0 is READY and
// slow-0 is BOOTING.
func scaled(t *testing.T) (*shell, *cluster.Manager) {
	t.Helper()
	description, err := config.Parse("scaled.yaml", []byte(scaledCluster))
	if err != nil {
		t.Fatal(err)
	}
	m, err := cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{Log: slog.New(slog.DiscardHandler), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	becomes(t, m, "the first slices", func(f *pb.GetFleetResponse) bool {
		return len(f.Slices) == 2 && f.Slices[0].State == pb.VmState_VM_STATE_READY && f.Slices[1].State == pb.VmState_VM_STATE_BOOTING &&
			decided(f)
	})
	return at(t, m.Address()), m
}

// decided reports whether every group stands somehow.
func decided(f *pb.GetFleetResponse) bool {
	return !slices.ContainsFunc(f.Groups, func(g *pb.ScaleGroupStatus) bool {
		return g.Availability == pb.ScaleGroupStatus_AVAILABILITY_UNSPECIFIED
	})
}

// becomes waits until the fleet is as wanted.
func becomes(t *testing.T, m *cluster.Manager, what string, wanted func(*pb.GetFleetResponse) bool) *pb.GetFleetResponse {
	t.Helper()
	c := connected(t, m.Address())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last *pb.GetFleetResponse
	for {
		fleet, err := c.Fleet(ctx)
		switch {
		case err != nil:
			t.Fatalf("%s: %v; the last was %v", what, err, last)
		case wanted(fleet):
			return fleet
		}
		last = fleet
		time.Sleep(10 * time.Millisecond) // until the next look
	}
}

// atRest waits until nothing is asked for, and nothing was lately: only what a test does changes that.
func atRest(t *testing.T, m *cluster.Manager) {
	t.Helper()
	becomes(t, m, "groups at rest", func(f *pb.GetFleetResponse) bool {
		return !slices.ContainsFunc(f.Groups, func(g *pb.ScaleGroupStatus) bool {
			return g.Availability != pb.ScaleGroupStatus_AVAILABILITY_AVAILABLE || g.Text != "nothing waits for it"
		})
	})
}

// still replaces the times of a table, and the blanks that depend on them.
func still(text string) string {
	text = regexp.MustCompile(`\b([0-9]+[hm])?[0-9.]+(ms|s|m)\b`).ReplaceAllString(text, "TIME")
	text = regexp.MustCompile(`\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b`).ReplaceAllString(text, "CLOCK")
	return regexp.MustCompile(` {2,}`).ReplaceAllString(text, "  ")
}

func TestScaleGroupsAreListedInTheOrderInWhichTheyAreAsked(t *testing.T) {
	t.Parallel()
	s, m := scaled(t)
	atRest(t, m)
	want := `GROUP  KIND  SLICES  STATES  DEMAND  AVAILABILITY  WHY
fast  4 CPU/16 GiB  1/1 of 1..3  1 READY  0  AVAILABLE  nothing waits for it
slow  v5litepod-16, 4 machines  0/1 of 1..2  1 BOOTING  0  AVAILABLE  nothing waits for it
never  1 CPU/1 GiB  0/0 of 0..1  0  AVAILABLE  nothing waits for it
`
	if got := s.run("cluster", "groups"); got.code != 0 || still(got.out) != want {
		t.Errorf("exit code %d\n%s\n%s\nwant\n%s", got.code, got.err, still(got.out), want)
	}
	var fleet pb.GetFleetResponse
	decode(t, s.run("cluster", "groups", "-o", "json"), &fleet)
	if len(fleet.Groups) != 3 || len(fleet.Slices) != 2 || len(fleet.Events) == 0 || fleet.EvaluatedAt == nil {
		t.Errorf("as JSON: %v", &fleet)
	}
	if got := s.run("cluster", "groups", "-o", "wide"); !strings.Contains(got.out, "us-1 us-2") || strings.Count(got.out, "\n") != 4 {
		t.Errorf("wide:\n%s", got.out)
	}
}

func TestOneScaleGroupIsShownWithItsSlicesAndEvents(t *testing.T) {
	t.Parallel()
	s, _ := scaled(t)
	want := []string{
		"Group  slow\nSlices  1: 1 BOOTING\nLimits  1 to 2\nEach is  v5litepod-16, 4 machines of 8 CPU and 32 GiB each\nZones  eu-1\nRank  1; ",
		"\n\nSLICE  STATE  FOR  AGE  WHERE  WORK  WHY\nslow-0  BOOTING  TIME  TIME  eu-1  min_slices is 1\n  slow-0-vm-0  BOOTING  TIME\n",
		"\n\nWHEN  SLICE  WHAT  WHY\nCLOCK  slow-0  REQUESTED  min_slices is 1\nCLOCK  slow-0  CREATED  in eu-1\n",
	}
	got := s.run("cluster", "groups", "slow")
	for _, part := range want {
		if !strings.Contains(still(got.out), part) {
			t.Errorf("exit code %d %s, without\n%s\nit is\n%s", got.code, got.err, part, still(got.out))
		}
	}
	if strings.Contains(got.out, "fast") {
		t.Errorf("another group is shown as well:\n%s", got.out)
	}
	var one pb.GetFleetResponse
	decode(t, s.run("cluster", "groups", "never", "-o", "json"), &one)
	if len(one.Groups) != 1 || one.Groups[0].Name != "never" || len(one.Slices)+len(one.Events) != 0 {
		t.Errorf("as JSON: %v", &one)
	}
}

// What a platform refuses shows in the groups and in the events, with the platform's words.
func TestARefusalIsShownWithItsCause(t *testing.T) {
	t.Parallel()
	s, m := scaled(t)
	m.Cloud("fast").SetFailureMode(fakevm.CreateFails)
	m.Cloud("never").SetFailureMode(fakevm.QuotaExceeded)
	s.run("job", "run", "--no-wait", "--name", "more", "--replicas", "2", "--cpu", "3", "--constraint", "zone!=eu-1", "--", "sleep", "600")
	s.run("job", "run", "--no-wait", "--name", "little", "--constraint", "zone==eu-1", "--constraint", "device-type==cpu", "--", "sleep", "600")
	becomes(t, m, "a backoff and a quota", func(f *pb.GetFleetResponse) bool {
		return f.Groups[0].Availability == pb.ScaleGroupStatus_AVAILABILITY_BACKOFF &&
			f.Groups[2].Availability == pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED
	})
	got := still(s.run("cluster", "groups").out)
	for _, want := range []string{"  BACKOFF until CLOCK (1 failure)  in backoff until CLOCK after 1 failure: slice creation failed for fast", "  QUOTA_EXCEEDED eu-1 until CLOCK  quota exceeded"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := still(s.run("cluster", "events", "fast").out); !strings.Contains(got, "CLOCK  fast-1  REFUSED  slice creation failed for fast") ||
		strings.Contains(got, "slow") || strings.Contains(got, "never") {
		t.Errorf("events:\n%s", got)
	}
	// fast-1 never was, and is still explained
	if got := still(s.run("cluster", "events", "fast-1").out); !strings.HasPrefix(got, "WHEN  SLICE  WHAT  WHY\nCLOCK  fast-1  REQUESTED  ") || strings.Count(got, "\n") != 3 {
		t.Errorf("events of one slice:\n%s", got)
	}
}

func TestSlicesAreShownWithTheirMachines(t *testing.T) {
	t.Parallel()
	s, m := scaled(t)
	s.run("job", "run", "--no-wait", "--id", "j", "--cpu", "1", "--", "sleep", "600")
	becomes(t, m, "an attempt", func(f *pb.GetFleetResponse) bool { return f.Slices[0].Attempts == 1 })
	table, fast := "SLICE  STATE  FOR  AGE  WHERE  WORK  WHY\n", "fast-0  READY  TIME  TIME  us-1  1 attempt\n  fast-0-vm-0  READY  TIME  fast-0-vm-0.invalid  live\n"
	slow := "slow-0  BOOTING  TIME  TIME  eu-1  min_slices is 1\n"
	for i := range 4 {
		slow += fmt.Sprintf("  slow-0-vm-%d  BOOTING  TIME\n", i)
	}
	for _, c := range []struct {
		args []string
		want string
	}{{nil, table + fast + slow}, {[]string{"fast"}, table + fast}, {[]string{"slow-0"}, table + slow}, {[]string{"never"}, table}} {
		if got := s.run(append([]string{"cluster", "vm", "status"}, c.args...)...); got.code != 0 || still(got.out) != c.want {
			t.Errorf("%v: exit code %d\n%s\n%s\nwant\n%s", c.args, got.code, got.err, still(got.out), c.want)
		}
	}
	var one pb.GetFleetResponse
	decode(t, s.run("cluster", "vm", "status", "slow-0", "-o", "json"), &one)
	if len(one.Groups) != 1 || one.Groups[0].Name != "slow" || len(one.Slices) != 1 || len(one.Slices[0].Machines) != 4 || len(one.Events) != 2 {
		t.Errorf("as JSON: %v", &one)
	}
	if got := s.run("cluster", "vm", "status", "fast", "-o", "wide"); !strings.Contains(got.out, "worker-fast-0-vm-0") {
		t.Errorf("wide:\n%s", got.out)
	}
}

func TestWhatAMachineSaidIsShown(t *testing.T) {
	t.Parallel()
	s, m := scaled(t)
	lines, err := connected(t, m.Address()).MachineLogs(t.Context(), "fast-0-vm-0", 0)
	if err != nil || len(lines) < 2 {
		t.Fatalf("%q, %v", lines, err)
	}
	s.run("cluster", "vm", "logs", "fast-0-vm-0").expect(t, 0, strings.Join(lines, "\n")+"\n", "")
	s.run("cluster", "vm", "logs", "fast-0-vm-0", "-n", "1").expect(t, 0, lines[len(lines)-1]+"\n", "")
	var all pb.FetchMachineLogsResponse
	decode(t, s.run("cluster", "vm", "logs", "fast-0-vm-0", "-o", "json"), &all)
	if !slices.Equal(all.Lines, lines) {
		t.Errorf("as JSON: %q, want %q", all.Lines, lines)
	}
}

func TestNamesThatAreNotThereAreAnsweredWithThoseThatAre(t *testing.T) {
	t.Parallel()
	s, _ := scaled(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"groups", "gpu"}, exitError, "iris: there is no scale group \"gpu\"; there are fast, slow, never\n"},
		{[]string{"events", "fast-9"}, exitError, "iris: there is no scale group or slice \"fast-9\"; there are fast, slow, never, fast-0, slow-0\n"},
		{[]string{"vm", "status", "fast-9"}, exitError, "iris: there is no scale group or slice \"fast-9\"; there are fast, slow, never, fast-0, slow-0\n"},
		{[]string{"vm", "logs", "fast-0"}, exitError,
			"iris: there is no machine \"fast-0\"; there are fast-0-vm-0, slow-0-vm-0, slow-0-vm-1, slow-0-vm-2, slow-0-vm-3\n"},
		{[]string{"vm", "logs"}, exitUsage, "iris: `iris cluster vm logs` wants a machine\niris: see `iris cluster vm logs --help`\n"},
		{[]string{"vm", "logs", "fast-0-vm-0", "-n", "0"}, exitUsage, "iris: flag --tail: \"0\" is not in 1 to 10000\n"},
		{[]string{"vm", "status", "a", "b"}, exitUsage, "iris: `iris cluster vm status` does not know what to do with \"b\"\niris: see `iris cluster vm status --help`\n"},
	} {
		s.run(append([]string{"cluster"}, c.args...)...).expect(t, c.code, "", c.want)
	}
}

// A cluster without scale groups has none to show, and that is no error.
func TestAClusterWithoutScaleGroupsHasNone(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("cluster", "groups").expect(t, 0, "GROUP  KIND  SLICES  STATES  DEMAND  AVAILABILITY  WHY\n", "")
	s.run("cluster", "vm", "status").expect(t, 0, "SLICE  STATE  FOR  AGE  WHERE  WORK  WHY\n", "")
	s.run("cluster", "events").expect(t, 0, "WHEN  SLICE  WHAT  WHY\n", "")
	s.run("cluster", "groups", "cpu").expect(t, exitError, "", "iris: there is no scale group \"cpu\", and no other\n")
	s.run("cluster", "vm", "logs", "m").expect(t, exitError, "", "iris: there is no machine \"m\", and no other\n")
}

func TestManyNamesAreCounted(t *testing.T) {
	var known []string
	if got, want := unknownOf("slice", "x", []string{"s-0"}, "…").Error(), `there is no slice "x"; there is only s-0`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i := range 25 {
		known = append(known, fmt.Sprintf("s-%d", i))
	}
	got := unknownOf("slice", "x", known, "iris cluster vm status").Error()
	if want := "there is no slice \"x\"; there are s-0, s-1, s-2, s-3, s-4, s-5, s-6, s-7, s-8, s-9 and 15 more: `iris cluster vm status` shows them"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCompletionKnowsTheFleet(t *testing.T) {
	t.Parallel()
	s, m := scaled(t)
	atRest(t, m)
	for _, c := range []struct {
		line string
		want []string
	}{
		{"cluster groups ", []string{"fast\tscale group AVAILABLE", "slow\tscale group AVAILABLE", "never\tscale group AVAILABLE"}},
		{"cluster groups s", []string{"slow\tscale group AVAILABLE"}},
		{"cluster groups slow ", nil},
		{"cluster events ", []string{"fast\tscale group AVAILABLE", "slow\tscale group AVAILABLE", "never\tscale group AVAILABLE", "fast-0\tREADY", "slow-0\tBOOTING"}},
		{"cluster vm status s", []string{"slow\tscale group AVAILABLE", "slow-0\tBOOTING"}},
		{"cluster vm logs f", []string{"fast-0-vm-0\tREADY"}},
		{"cluster vm logs fast-0-vm-0 ", nil},
		{"cluster vm ", []string{"logs\tShow what a machine said while it came up", "status\tShow slices and their machines"}},
	} {
		if got := offers(s, strings.Split(c.line, " ")...); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q offers %q, want %q", c.line, got, c.want)
		}
	}
}

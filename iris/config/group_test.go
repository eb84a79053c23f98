package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/config"
	"iris/iris/state"
	"iris/iris/vm"
)

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheAutoscaledExampleLoads(t *testing.T) {
	c, err := config.Load(filepath.Join("..", "..", "examples", "autoscaled.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, state.Pace(c.Autoscaler.Pace), state.DefaultPace()) // it shows the defaults
	if a := c.Autoscaler; a.EvaluationInterval != 10*time.Second || a.ListInterval != 10*time.Second {
		t.Errorf("it shows %v and %v as the intervals", a.EvaluationInterval, a.ListInterval)
	}
	quick := state.DefaultPace()
	quick.IdleThreshold = time.Minute
	same(t, c.ScaleGroups(), []state.Group{
		{
			GroupConfig: vm.GroupConfig{Name: "cpu", MinSlices: 1, MaxSlices: 4, BufferSlices: 1, Zones: []string{"here"}},
			VMs:         1, Capacity: state.Resources{CPUMillis: 4000, MemoryBytes: 16 << 30}, Rank: 0, Pace: quick,
		},
		{
			GroupConfig: vm.GroupConfig{Name: "tpu", AcceleratorVariant: "v5litepod-16", MaxSlices: 2, Zones: []string{"east", "west"}},
			VMs:         4, Capacity: state.Resources{CPUMillis: 8000, MemoryBytes: 32 << 30},
			Attributes: map[string]string{"pool": "training"}, Rank: 1, Pace: state.DefaultPace(),
		},
	})
	if g := c.Groups[1]; g.BootDelay != 2*time.Second || g.InitDelay != time.Second || g.Platform != config.Local {
		t.Errorf("tpu boots in %v and %v on %s", g.BootDelay, g.InitDelay, g.Platform)
	}
}

// pool is a group of hosts, and another that scales, without a mistake.
const pool = `name: c
groups:
  - name: pool
    platform: ssh
    variant: v4-16
    cpu: 4
    memory: 16GiB
    min_slices: 1
    max_slices: 4
    buffer_slices: 1
    zones: [us-1, us-2]
    priority: 10
    after: [other]
    attributes: {site: lab}
    pace: {boot_timeout: 60s}
    ssh:
      user: iris
      key: /etc/iris/id
      known_hosts: /etc/iris/known_hosts
      iris: /opt/iris
      controller: 10.0.0.1:7070,10.0.0.2:7070
      hosts:
        - {address: "a:22", zone: us-1}
        - {address: "b:22", zone: us-1}
        - {address: "c:22", zone: us-2}
        - {address: "d:22", zone: us-2}
  - {name: other, platform: local, cpu: 1, memory: 1GiB, max_slices: 2, zones: [z], boot_delay: 1s, init_delay: 2s}
`

func TestAPoolOfHostsIsRead(t *testing.T) {
	c, err := config.Parse("c.yaml", []byte(pool))
	if err != nil {
		t.Fatal(err)
	}
	same(t, *c.Groups[0].SSH, config.SSH{
		User: "iris", Key: "/etc/iris/id", KnownHosts: "/etc/iris/known_hosts", Iris: "/opt/iris",
		Controller: "10.0.0.1:7070,10.0.0.2:7070",
		Hosts:      []config.Host{{"a:22", "us-1", ""}, {"b:22", "us-1", ""}, {"c:22", "us-2", ""}, {"d:22", "us-2", ""}},
	})
	order := c.ScaleGroups()
	if order[0].Name != "other" || order[1].Name != "pool" || order[1].Rank != 1 || order[1].VMs != 2 {
		t.Errorf("the groups are %+v", order)
	}
	if got := order[1].Pace; got.BootTimeout != time.Minute || got.InitTimeout != 10*time.Minute {
		t.Errorf("the pool's pace is %+v", got)
	}
}

func TestAClosedGroupHasNoRoom(t *testing.T) {
	c, err := config.Parse("c.yaml", []byte(`name: c
groups: [{name: a, platform: local, cpu: 1, memory: 1GiB, min_slices: 1, max_slices: 3, buffer_slices: 2, zones: [z], closed: true}]`))
	if err != nil {
		t.Fatal(err)
	}
	g := c.ScaleGroups()[0]
	if g.MinSlices != 0 || g.MaxSlices != 0 || g.BufferSlices != 0 || c.Groups[0].VM().MaxSlices != 3 {
		t.Errorf("it may have %d..%d slices and %d to spare, and its platform %d", g.MinSlices, g.MaxSlices, g.BufferSlices, c.Groups[0].VM().MaxSlices)
	}
}

func TestAHostIsInTheOnlyZoneThereIs(t *testing.T) {
	g := config.Group{Zones: []string{"z"}, SSH: &config.SSH{Hosts: []config.Host{{Address: "a:22"}}}}
	same(t, g.Hosts(), []config.Host{{"a:22", "z", ""}})
	same(t, g.SSH.Hosts, []config.Host{{Address: "a:22"}}) // it was not written
	same(t, config.Group{}.Hosts(), []config.Host(nil))
}

// Each mistake is made in pool, by replacing one text by another; it is the only one that is found, and has the line of that
// text, or of the one that is given.
func TestAMistakeInAGroupIsRefusedWithItsLine(t *testing.T) {
	for _, c := range []struct{ from, to, line, want string }{
		{"v4-16", "v4-9", "", "variant: unknown TPU variant \"v4-9\"; known are"},
		{"min_slices: 1", "min_slices: -1", "", "min_slices is -1; it must not be negative"},
		{"min_slices: 1", "min_slices: 5", "", "min_slices is 5, above max_slices 4; lower the one or raise the other"},
		{"min_slices: 1", "min_slices: 3", "", "min_slices is 3, but ssh.hosts have room for 2; add hosts or lower it"},
		{"max_slices: 4", "max_slices: 100001", "", "max_slices is 100001; it must be at most 100000"},
		{"buffer_slices: 1", "buffer_slices: 5", "", "buffer_slices is 5, above max_slices 4; lower the one or raise the other"},
		{"buffer_slices: 1", "buffer_slices: -1", "", "buffer_slices is -1; it must not be negative"},
		{"cpu: 4", "vms_per_slice: -1\n    cpu: 4", "vms_per_slice", "vms_per_slice is -1; it must be positive, or 0"},
		{"zones: [us-1, us-2]", "zones: [us-1, us-2, us-1]", "", `zones[2] repeats "us-1"; remove it`},
		{
			"zones: [us-1, us-2]", "zones: [us-1, us-2, us-3]", "      hosts:",
			`ssh.hosts has 0 in zone "us-3", but a slice needs 2; add hosts, or remove`,
		},
		{"priority: 10", "priority: -1", "", "priority is -1; it must be at least 1 (default 100)"},
		{"priority: 10", "priority: high", "", `groups[0].priority is "high"; it must be a whole number`},
		{"[other]", "[pool, other]", "", "after[0] is the group itself; remove it"},
		{"[other]", "[other, other]", "", `after[1] repeats "other"; remove it`},
		{"[other]", "[othr]", "", `after[0] is "othr", which no group is called; known are pool, other`},
		{"site: lab", "tpu-worker-id: x", "", "attributes.tpu-worker-id is an attribute that Iris sets itself; remove it"},
		{"site: lab", "device-type: x", "", "attributes.device-type is an attribute that Iris sets itself; remove it"},
		{"site: lab", "zone: x", "", "attributes.zone is an attribute that Iris sets itself; remove it"},
		{"site: lab", "worker: x", "", "attributes.worker is an attribute that Iris sets itself; remove it"},
		{"site: lab", `"": x`, "", "attributes has one without a name; name it or remove it"},
		{"boot_timeout: 60s", "boot_timeout: -60s", "", "pace.boot_timeout is -1m0s; it cannot be negative"},
		{"boot_timeout: 60s", "boot_timeout: 87601h", "", "pace.boot_timeout is 87601h0m0s; it must be at most 87600h0m0s"},
		{"boot_timeout: 60s", "scale_down_rate: -1", "", "pace.scale_down_rate is -1; it cannot be negative"},
		{"boot_timeout: 60s", "boot_timeout: 0s", "", "groups[0].pace.boot_timeout is \"0s\", which is no setting; leave it out"},
		{
			"boot_timeout: 60s", "backoff_initial: 2m, backoff_max: 1m", "",
			"pace.backoff_max is 1m0s, below backoff_initial 2m0s; raise the one or lower the other",
		},
		{
			"platform: ssh", "platform: gcp", "",
			`platform is "gcp"; it must be fixed (machines that are there from the start), local or ssh`,
		},
		{"platform: ssh", "platform: local", "ssh:", "ssh is for platform ssh; remove it, or say platform: ssh"},
		{"cpu: 4", "boot_delay: 1s\n    cpu: 4", "boot_delay", "boot_delay is for platform local; remove it"},
		{"cpu: 4", "init_delay: 1s\n    cpu: 4", "init_delay", "init_delay is for platform local; remove it"},
		{"      user: iris\n", "", "ssh:", "ssh.user is missing; name whom to log in as"},
		{"      key: /etc/iris/id\n", "", "ssh:", "ssh.key is missing; name the file of the private key"},
		{"      known_hosts: /etc/iris/known_hosts\n", "", "ssh:", "ssh.known_hosts is missing; name the file"},
		{
			"controller: 10.0.0.1:7070", "controller: 10.0.0.1", "",
			`ssh.controller has "10.0.0.1"; it must be addresses that hosts reach`,
		},
		{`"a:22"`, `"a"`, "", `ssh.hosts[0].address is "a"; it must be host:port, such as tpu-1:22`},
		{"a:22", ":22", "", `ssh.hosts[0].address is ":22"; it must be host:port`},
		{"a:22", "a:0", "", `ssh.hosts[0].address is "a:0"; it must be host:port`},
		{"a:22", "a:65536", "", `ssh.hosts[0].address is "a:65536"; it must be host:port`},
		{"a:22", "iris@a:22", "", `ssh.hosts[0].address is "iris@a:22"; it must be host:port`},
		{"7070,10", "7070, 10", "", `ssh.controller has " 10.0.0.2:7070"; it must be addresses that hosts reach`},
		{
			"d:22", "c:22", "c:22\", zone: us-2}\n  -",
			`ssh.hosts[3].address is "c:22", as is groups[0].ssh.hosts[2].address; remove one of them`,
		},
		{"boot_delay: 1s", "boot_delay: -1s", "", "groups[1] other: boot_delay is -1s; it cannot be negative"},
	} {
		t.Run(c.to, func(t *testing.T) {
			if n := strings.Count(pool, c.from); n != 1 {
				t.Fatalf("the file has %q %d times", c.from, n)
			}
			text, line := strings.Replace(pool, c.from, c.to, 1), c.line
			if line == "" {
				line = c.to
			}
			at := strings.Index(text, line)
			if at < 0 {
				t.Fatalf("%q is not in the file", line)
			}
			_, err := config.Parse("c.yaml", []byte(text))
			if err == nil {
				t.Fatal("it was accepted")
			}
			want := fmt.Sprintf("c.yaml:%d: ", 1+strings.Count(text[:at], "\n"))
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is\n%v, want one\n%s…%s", err, want, c.want)
			}
		})
	}
}

// Each mistake is made in a group of which nothing was wrong.
func TestWhatAFixedGroupCannotHaveIsAnsweredWithWhatToDo(t *testing.T) {
	const fixed = "name: c\ngroups:\n  - {name: a, cpu: 1, memory: 1GiB, min_slices: 2, max_slices: 2, zones: [z], %s}\n" +
		"  - {name: b, platform: local, cpu: 1, memory: 1GiB, max_slices: 2, zones: [z]}"
	const remove = " is for groups that grow and shrink, which one of platform fixed does not; remove it, or say platform: local " +
		"or platform: ssh"
	for text, want := range map[string]string{
		"attributes: {device-type: cpu, zone: z, tpu-name: x}": "",
		"platform: fixed":          "",
		"variant: v4-16":           "",
		"buffer_slices: 1":         "buffer_slices" + remove,
		"priority: 100":            "priority" + remove,
		"after: [b]":               "after" + remove,
		"pace: {boot_timeout: 1s}": "pace" + remove,
		"boot_delay: 1s":           "boot_delay" + remove,
		"init_delay: 1s":           "init_delay" + remove,
		"attributes: {slice: x}":   "attributes.slice is an attribute that Iris sets itself; remove it",
		"attributes: {worker: x}":  "attributes.worker is an attribute that Iris sets itself; remove it",
		"ssh: {user: a}":           "ssh is for platform ssh; remove it, or say platform: ssh",
	} {
		_, err := config.Parse("c.yaml", fmt.Appendf(nil, fixed, text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || err.Error() != "c.yaml:3: groups[0] a: "+want):
			t.Errorf("%s: error is\n%v, want\n%s", text, err, want)
		}
	}
	_, err := config.Parse("c.yaml", []byte("name: c\ngroups:\n  - {name: a, cpu: 1, memory: 1GiB, max_slices: 2, zones: [z]}\n"))
	same(t, fmt.Sprint(err), "c.yaml:3: groups[0] a: min_slices is 0, below max_slices 2, but a group of platform fixed does not "+
		"grow; make them equal, or say platform: local or platform: ssh")
}

func TestAPoolNeedsItsSection(t *testing.T) {
	const group = "name: c\ngroups:\n  - {name: a, platform: ssh, cpu: 1, memory: 1GiB, max_slices: 2, zones: [y, z]%s}\n"
	for text, want := range map[string]string{
		"": "c.yaml:3: groups[0] a: ssh is missing; say with which user, key, known_hosts and hosts",
		", ssh: {user: u, key: k, known_hosts: h}": "c.yaml:3: groups[0] a: ssh.hosts is empty; name at least one",
		", ssh: {user: u, key: k, known_hosts: h,\n" +
			"hosts: [{address: 'a:1', zone: y}, {address: 'b:1'}, {address: 'c:1', zone: x}]}": "" +
			"c.yaml:4: groups[0] a: ssh.hosts[1].zone is missing; name one of the group's 2 zones\n" +
			"c.yaml:4: groups[0] a: ssh.hosts[2].zone is \"x\", which is no zone of the group; known are y, z\n" +
			"c.yaml:4: groups[0] a: ssh.hosts has 0 in zone \"z\", but a slice needs 1; add hosts, or remove the zone",
	} {
		_, err := config.Parse("c.yaml", fmt.Appendf(nil, group, text))
		same(t, fmt.Sprint(err), want)
	}
}

func TestAHostIsLentToOneGroup(t *testing.T) {
	pool := func(name string) config.Group {
		return config.Group{
			Name: name, Platform: config.OverSSH, CPU: 1, Memory: 1, MaxSlices: 1, Zones: []string{"z"},
			SSH: &config.SSH{User: "u", Key: "k", KnownHosts: "h", Hosts: []config.Host{{Address: "a:22"}}},
		}
	}
	err := config.Cluster{Name: "c", Groups: []config.Group{pool("a"), pool("b")}}.Validate()
	same(t, fmt.Sprint(err), `groups[1] b: ssh.hosts[0].address is "a:22", as is groups[0].ssh.hosts[0].address; remove one of them`)
}

func TestAGroupIsNotAfterOneThatIsFixed(t *testing.T) {
	b := config.Group{Name: "b", Platform: config.Local, CPU: 1, Memory: 1, MaxSlices: 1, Zones: []string{"z"}, After: []string{"a"}}
	a := config.Group{Name: "a", CPU: 1, Memory: 1, MinSlices: 1, MaxSlices: 1, Zones: []string{"z"}}
	err := config.Cluster{Name: "c", Groups: []config.Group{a, b}}.Validate()
	same(t, fmt.Sprint(err), `groups[1] b: after[0] is "a", whose machines are fixed: it is never asked; remove it`)
}

// Workers are numbered through all groups whose machines are there from the start, and only those.
func TestFixedMachinesAreThoseOfGroupsThatDoNotScale(t *testing.T) {
	c := config.Cluster{Groups: []config.Group{
		{Name: "a", MinSlices: 2, MaxSlices: 2, Zones: []string{"z"}, CPU: 1},
		{Name: "b", Platform: config.Local, MinSlices: 3, MaxSlices: 3, Zones: []string{"z"}, CPU: 2},
		{
			Name: "c", Platform: config.Fixed, Variant: "v4-16", MinSlices: 1, MaxSlices: 1, Zones: []string{"y", "z"}, CPU: 3,
			Attributes: map[string]string{"pool": "p"},
		},
	}}
	type machine struct {
		Group, Worker string
		Attributes    map[string]string
	}
	var got []machine
	for _, m := range c.FixedMachines() {
		got = append(got, machine{m.Group.Name, m.Worker, m.Attributes})
	}
	tpu := func(i string) map[string]string {
		return map[string]string{
			state.AttributeDeviceType: "tpu", state.AttributeDeviceVariant: "v4-16", state.AttributeTPUName: "c-0",
			state.AttributeTPUWorkerID: i, state.AttributeTPUTopology: "2x2x2", state.AttributeSlice: "c-0",
			state.AttributeZone: "y", "pool": "p",
		}
	}
	cpu := func(slice string) map[string]string {
		return map[string]string{state.AttributeDeviceType: "cpu", state.AttributeSlice: slice, state.AttributeZone: "z"}
	}
	want := []machine{{"a", "w-0", cpu("a-0")}, {"a", "w-1", cpu("a-1")}, {"c", "w-2", tpu("0")}, {"c", "w-3", tpu("1")}}
	same(t, got, want)
}

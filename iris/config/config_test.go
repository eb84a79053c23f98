package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/config"
)

var demo = filepath.Join("..", "..", "examples", "demo.yaml")

func TestTheDemoLoads(t *testing.T) {
	got, err := config.Load(demo)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Cluster{
		Name: "demo",
		Controller: config.Controller{
			WorkerTimeout: time.Minute, NoWorkerGrace: 10 * time.Minute, DispatchRounds: 5, DispatchPause: 10 * time.Second,
		},
		Worker: config.Worker{HeartbeatInterval: 10 * time.Second, PollInterval: 5 * time.Second, KillGrace: 5 * time.Second},
		Groups: []config.Group{{
			Name: "cpu", CPU: 4, Memory: 16 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"local"},
			Attributes: map[string]string{"device-type": "cpu"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each mistake is made in the demo, by replacing one text by another.
func TestAMistakeIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		line     string // that the mistake is on
		want     string
	}{
		"unknown key": {
			"poll_interval: 5s", "poll_intervall: 5s", "poll_intervall",
			"worker.poll_intervall: unknown key; known are heartbeat_interval, poll_interval, kill_grace",
		},
		"duplicate key": {
			"poll_interval: 5s", "kill_grace: 5s", "kill_grace: 5s        #",
			`the key "kill_grace" is there twice, first in line 12; remove one`,
		},
		"number for duration": {
			"poll_interval: 5s", "poll_interval: 5", "poll_interval",
			"worker.poll_interval is 5; it must be a duration such as 90s",
		},
		"list for number": {"cpu: 4", "cpu: [4]", "cpu: [4]", "groups[0].cpu is a list; it must be a number"},
		"text for number": {"cpu: 4", "cpu: four", "cpu: four", `groups[0].cpu is "four"; it must be a number`},
		"fraction of a slice": {
			"min_slices: 2", "min_slices: 1.5", "min_slices",
			"groups[0].min_slices is 1.5; it must be a whole number",
		},
		"bad size": {
			"memory: 16GiB", "memory: 16GiBB", "memory",
			`groups[0].memory is "16GiBB"; it must be a size such as 16GiB`,
		},
		"size out of range": {
			"memory: 16GiB", "memory: 8EiB", "memory",
			`groups[0].memory is "8EiB"; it must be a size such as 16GiB`,
		},
		"list for size": {
			"memory: 16GiB", "memory: [1]", "memory",
			"groups[0].memory is a list; it must be a size such as 16GiB",
		},
		"no memory": {
			"memory: 16GiB", "memory: 0", "memory",
			"groups[0] cpu: memory is 0 bytes; it must be positive, and at most 1.0 PiB",
		},
		"no cpu":           {"cpu: 4", "cpu: 0", "cpu: 0", "groups[0] cpu: cpu is 0; it must be 0.001 to 100000 cores"},
		"cpu not a number": {"cpu: 4", "cpu: .nan", "cpu: .nan", "groups[0] cpu: cpu is NaN; it must be 0.001 to 100000 cores"},
		"endless cpu": {
			"cpu: 4", "cpu: .inf", "cpu: .inf",
			"groups[0] cpu: cpu is +Inf; it must be 0.001 to 100000 cores",
		},
		"negative duration": {"kill_grace: 5s", "kill_grace: -5s", "kill_grace", "worker.kill_grace is -5s; it cannot be negative"},
		"negative count":    {"rounds: 5", "rounds: -1", "rounds", "controller.dispatch_rounds is -1; it cannot be negative"},
		"duplicate group": {
			"  - name: cpu\n", "  - {name: cpu, cpu: 1, memory: 1GiB, min_slices: 1, max_slices: 1, zones: [a]}\n  - name: cpu\n",
			"  - name: cpu",
			"groups[1] cpu: name is that of groups[0] too",
		},
		"group without zones": {"    zones: [local]\n", "", "  - name: cpu", "groups[0] cpu: zones is empty"},
		"one heartbeat": {
			"worker_timeout: 60s", "worker_timeout: 19999ms", "worker_timeout",
			"controller.worker_timeout 19.999s leaves no room for a lost heartbeat (worker.heartbeat_interval 10s)",
		},
		"too short a memory": {
			"dispatch_rounds: 5", "retention: {age: 59s}", "retention",
			"controller.retention.age is 59s; jobs are kept for 1m0s in any case",
		},
		"half a job": {
			"dispatch_rounds: 5", "retention: {jobs: 0.5}", "retention",
			"controller.retention.jobs is 0.5; it must be a whole number",
		},
		"too little cpu": {"cpu: 4", "cpu: 0.0004", "cpu: 0.0004", "groups[0] cpu: cpu is 0.0004; it must be 0.001 to 100000 cores"},
		"more than any machine": {
			"memory: 16GiB", "memory: 2PiB", "memory",
			"groups[0] cpu: memory is 2251799813685248 bytes; it must be positive, and at most 1.0 PiB",
		},
		"value for section": {
			"  worker_timeout: 60s", "  retention: 5\n  worker_timeout: 60s", "retention",
			"controller.retention is 5; it must be a mapping of keys to values",
		},
		"value for list":  {"zones: [local]", "zones: local", "zones", `groups[0].zones is "local"; it must be a list`},
		"list for text":   {"name: demo", "name: [demo]", "name", "name is a list; it must be text"},
		"key of a number": {"device-type: cpu", "1: cpu", "attributes", "the key 1 is no text; put it in quotes"},
		"name of a path":  {"name: demo", "name: a/b", "name", `name is "a/b"; it must be`},
		"second document": {"name: demo", "name: demo\n---\nname: other", "# A small", "more than one document"},
	} {
		t.Run(name, func(t *testing.T) {
			text := replaced(t, c.from, c.to)
			at := strings.Index(text, c.line)
			if at < 0 {
				t.Fatalf("%q is not in the file", c.line)
			}
			line := 1 + strings.Count(text[:at], "\n")
			path := write(t, text)
			_, err := config.Load(path)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), fmt.Sprintf("%s:%d: ", path, line)) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q is not one of line %d", err, line)
			}
		})
	}
}

func TestWrongValuesAreNamedAllAtOnce(t *testing.T) {
	path := write(t, strings.Replace(replaced(t, "kill_grace: 5s", "kill_grace: -5s"), "cpu: 4", "cpu: -4", 1))
	_, err := config.Load(path)
	want := path + ":13: worker.kill_grace is -5s; it cannot be negative\n" +
		path + ":17: groups[0] cpu: cpu is -4; it must be 0.001 to 100000 cores"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v, want\n%s", err, want)
	}
}

// The default heartbeat counts where none is given, and so does the default timeout.
func TestAnUnsetHeartbeatCountsAsItsDefault(t *testing.T) {
	c := config.Cluster{Name: "c", Controller: config.Controller{WorkerTimeout: 19 * time.Second}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "leaves no room for a lost heartbeat") {
		t.Errorf("19s of silence with the default heartbeat: %v", err)
	}
	c = config.Cluster{Name: "c", Worker: config.Worker{HeartbeatInterval: 31 * time.Second}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "leaves no room for a lost heartbeat") {
		t.Errorf("a heartbeat every 31s with the default timeout: %v", err)
	}
	c = config.Cluster{Name: "c", Controller: config.Controller{WorkerTimeout: 20 * time.Second}}
	if err := c.Validate(); err != nil {
		t.Errorf("20s of silence with the default heartbeat: %v", err)
	}
}

func TestRetentionIsReadAndMayBeForEver(t *testing.T) {
	got, err := config.Load(write(t, replaced(t, "dispatch_rounds: 5", "retention: {jobs: -1, age: 48h, worker_age: -1s}")))
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Retention{Jobs: -1, Age: 48 * time.Hour, WorkerAge: -time.Second}); got.Controller.Retention != want {
		t.Errorf("it is %v, want %v", got.Controller.Retention, want)
	}
}

func TestSizesAreBinaryDecimalOrBytes(t *testing.T) {
	for text, want := range map[string]config.Bytes{"16GiB": 16 << 30, "16GB": 16_000_000_000, "512": 512, "&m 1MiB": 1 << 20} {
		c, err := config.Load(write(t, replaced(t, "memory: 16GiB", "memory: "+text)))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if c.Groups[0].Memory != want {
			t.Errorf("%s is %d bytes, want %d", text, c.Groups[0].Memory, want)
		}
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error is %v", err)
	}
}

// replaced is the demo with one text, which it has once, replaced.
func replaced(t *testing.T, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		t.Fatalf("the demo has %q %d times", from, n)
	}
	return strings.Replace(string(text), from, to, 1)
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

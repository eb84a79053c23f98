package config_test

import (
	"strings"
	"testing"
	"time"

	"iris/iris/config"
)

func TestEveryMistakeIsNamedAtOnceWithItsLine(t *testing.T) {
	_, err := config.Parse("c.yaml", []byte(`name: a/b
worker:
  poll_interval: 5
  poll_interval: 5s
  kill_grce: 5s
extra: 1
autoscaler: {pace: {backoff_initial: 60s, backoff_max: 5s, idle_threshold: 0s, scale_down_rate: 2.5}}
groups:
  - name: a
    platform: local
    cpu: four
    memory: 1XB
    max_slices: 1
    min_slices: 2
    zones: [z, "", z]
    attributes: {slice: s}
    closed: yes
  - name: a
    priority: 0
    closed: 1
    memory: 1GiB
    zones: {z: z}
`))
	want := `c.yaml:1: name is "a/b"; it must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit
c.yaml:3: worker.poll_interval is 5; it must be a duration such as 90s or 5m
c.yaml:4: the key "poll_interval" is there twice, first in line 3; remove one
c.yaml:5: worker.kill_grce: unknown key; known are heartbeat_interval, poll_interval, kill_grace
c.yaml:6: extra: unknown key; known are name, controller, worker, autoscaler, groups
c.yaml:7: autoscaler.pace.idle_threshold is "0s", which is no setting; leave it out for its default, or make it positive
c.yaml:7: autoscaler.pace.scale_down_rate is 2.5; it must be a whole number
c.yaml:7: autoscaler.pace.backoff_max is 5s, below backoff_initial 1m0s; raise the one or lower the other
c.yaml:11: groups[0].cpu is "four"; it must be a number
c.yaml:12: groups[0].memory is "1XB"; it must be a size such as 16GiB
c.yaml:14: groups[0] a: min_slices is 2, above max_slices 1; lower the one or raise the other
c.yaml:15: groups[0] a: zones[1] is empty; name a zone or remove it
c.yaml:15: groups[0] a: zones[2] repeats "z"; remove it
c.yaml:16: groups[0] a: attributes.slice is an attribute that Iris sets itself; remove it
c.yaml:17: groups[0].closed is "yes"; it must be true or false
c.yaml:18: groups[1] a: max_slices is 0; it must be at least 1
c.yaml:18: groups[1] a: cpu is 0; it must be 0.001 to 100000 cores
c.yaml:18: groups[1] a: name is that of groups[0] too; change one of them
c.yaml:19: groups[1].priority is 0, which is no setting; leave it out for its default, or make it positive
c.yaml:20: groups[1].closed is 1; it must be true or false
c.yaml:22: groups[1].zones is a mapping; it must be a list`
	if err == nil {
		t.Fatal("it was accepted")
	}
	same(t, err.Error(), want)
}

func TestWhatIsNoYAMLIsRefusedWithItsLine(t *testing.T) {
	_, err := config.Parse("c.yaml", []byte("name: a\nworker: {poll_interval: 5s\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "c.yaml: [2:") {
		t.Errorf("error is %v", err)
	}
}

func TestAFileThatSaysNothingLacksAName(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "~\n"} {
		_, err := config.Parse("c.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), `c.yaml:1: name is ""`) {
			t.Errorf("%q: error is %v", text, err)
		}
	}
	_, err := config.Parse("c.yaml", []byte("- a\n"))
	if err == nil || err.Error() != "c.yaml:1: the file is a list; it must be a mapping of keys to values" {
		t.Errorf("a list: error is %v", err)
	}
}

// What groups share is written once.
func TestAliasesAndMergesAreReadAsIfTheyWereWrittenOut(t *testing.T) {
	c, err := config.Parse("c.yaml", []byte(`name: c
autoscaler: {pace: &slow {idle_threshold: 1h, quota_timeout: 2h}}
groups:
  - &machine
    name: a
    platform: local
    cpu: 1
    memory: &m 1GiB
    max_slices: &n 3
    zones: &z [x, y]
    pace: *slow
  - name: b
    max_slices: 1
    <<: *machine
    pace: {<<: *slow, idle_threshold: 1m}
  - {name: c, cpu: 1, <<: [{memory: *m}, *machine], zones: *z, max_slices: *n}
`))
	if err != nil {
		t.Fatal(err)
	}
	written, err := config.Parse("c.yaml", []byte(`name: c
autoscaler: {pace: {idle_threshold: 1h, quota_timeout: 2h}}
groups:
  - {name: a, platform: local, cpu: 1, memory: 1GiB, max_slices: 3, zones: [x, y], pace: {idle_threshold: 1h, quota_timeout: 2h}}
  - {name: b, platform: local, cpu: 1, memory: 1GiB, max_slices: 1, zones: [x, y], pace: {idle_threshold: 1m, quota_timeout: 2h}}
  - {name: c, platform: local, cpu: 1, memory: 1GiB, max_slices: 3, zones: [x, y], pace: {idle_threshold: 1h, quota_timeout: 2h}}
`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, written)
	if got := c.Groups[1].Pace.IdleThreshold; got != time.Minute {
		t.Errorf("what b says itself is %v", got)
	}
}

func TestAMistakeInWhatIsSharedHasTheLineWhereItIsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"name: c\nworker:\n  poll_interval: *later\n  kill_grace: &later 5s\n": "" +
			"c.yaml:3: worker.poll_interval is *later, but nothing before it is called &later",
		"name: c\nworker: &w\n  poll_interval: 1s\n  <<: *w\n": "c.yaml:2: worker: << brings in what it is part of",
		"name: c\nworker: &w\n  poll_interval: 1s\n  <<: 5\n":  "c.yaml:2: worker is 5; it must be a mapping of keys to values",
		"name: c\nautoscaler:\n  pace: &p {boot_timeout: 1}\ngroups:\n  - {name: a, platform: local, max_slices: 1, cpu: 1, " +
			"memory: 1, zones: [z], pace: *p}\n": "c.yaml:3: autoscaler.pace.boot_timeout is 1; it must be a duration such as 90s or 5m\n" +
			"c.yaml:3: groups[0].pace.boot_timeout is 1; it must be a duration such as 90s or 5m",
	} {
		_, err := config.Parse("c.yaml", []byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("error is\n%v, want\n%s", err, want)
		}
	}
}

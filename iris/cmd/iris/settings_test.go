package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"iris/iris/settings"
)

// settle writes the user's file of settings.
func (s *shell) settle(text string) {
	s.t.Helper()
	dir := filepath.Join(s.home, ".config", "iris")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "iris.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestSettingsReachEveryVerb(t *testing.T) {
	t.Parallel()
	address := booted(t)
	s := at(t, "") // nothing but the files says where the controller is
	s.settle("controller: " + address + "\niris job run:\n  env: {COLOUR: red}\niris worker list:\n  output: json\n")
	if got := s.run("job", "run", "--", "sh", "-c", "echo $COLOUR"); got.code != 0 || got.out != "red\n" {
		t.Errorf("job run: %+v", got)
	}
	if got := s.run("job", "run", "-e", "COLOUR=blue", "--", "sh", "-c", "echo $COLOUR"); got.out != "blue\n" {
		t.Errorf("a flag does not win: %+v", got)
	}
	if got := s.run("worker", "list"); !strings.HasPrefix(got.out, "{") {
		t.Errorf("worker list: %+v", got)
	}
	if got := s.with("IRIS_OUTPUT=table").run("worker", "list"); !strings.HasPrefix(got.out, "ID ") {
		t.Errorf("the environment does not win: %+v", got)
	}
	nowhere := filepath.Join(s.home, "other.yaml")
	if err := os.WriteFile(nowhere, []byte("controller: 127.0.0.1:1\npatience: 0s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.run("--config", nowhere, "worker", "list"); got.code != exitError || !strings.Contains(got.err, "cannot reach a controller at 127.0.0.1:1") {
		t.Errorf("--config is not read instead: %+v", got)
	}
}

func TestMistakesInSettingsAreNamedWithTheirPlaces(t *testing.T) {
	t.Parallel()
	s := at(t, "").with("IRIS_DISPATCH_PAUSE=-1s", "IRIS_KILL_GRACE=not read by this verb")
	s.settle("log-format: yaml\niris controller:\n  worker-timeot: 1m\n  worker-timeout: 5 parsecs\n")
	file := filepath.Join(s.home, ".config", "iris", "iris.yaml")
	want := strings.ReplaceAll(`iris: FILE:1:13: log-format: "yaml" is not text or json
iris: FILE:3:3: `+"`iris controller`"+` has no setting "worker-timeot"; did you mean "worker-timeout"?
iris: FILE:4:19: worker-timeout: "5 parsecs" is not a duration such as 90s or 5m
iris: environment variable IRIS_DISPATCH_PAUSE: "-1s" is too short: it must be at least 1ms
iris: flag --dispatch-rounds: "0" is not in 1 to 1000
`, "FILE", file)
	got := s.run("controller", "--ephemeral", "--dispatch-rounds", "0")
	if got.code != exitUsage || got.err != want {
		t.Errorf("exit code %d\n%s\nwant\n%s", got.code, got.err, want)
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"job", "--help"}, {"completion", "bash"}} {
		if got := s.run(args...); got.code != 0 || got.out == "" || got.err != "" {
			t.Errorf("%v needs no settings: %+v", args, got)
		}
	}
}

func TestTheVersionIsSaid(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	if got, same := s.run("version"), s.run("--version"); got.code != 0 || !strings.HasPrefix(got.out, "iris ") || got.out != same.out {
		t.Errorf("%+v and %+v", got, same)
	}
}

// taskVariables are what a worker sets for its tasks: a command that runs in one must not take them for settings.
var taskVariables = []string{
	"IRIS_JOB_ID", "IRIS_TASK_ID", "IRIS_TASK_INDEX", "IRIS_NUM_TASKS", "IRIS_ATTEMPT_ID", "IRIS_WORKER_ID", "IRIS_CONTROLLER_ADDRESS",
}

// What holds of every verb and flag, however many there will be.
func TestEveryVerbAndFlagIsMadeAlike(t *testing.T) {
	root := newRoot(newApp())
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.RunE == nil || c.Args == nil {
			t.Errorf("%s: its short help is %q (want a sentence without a full stop); it runs: %v; it judges its arguments: %v",
				c.CommandPath(), c.Short, c.RunE != nil, c.Args != nil)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Usage == "" || strings.ContainsAny(f.Usage[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || strings.Contains(f.Usage, "`"):
				t.Errorf("%s --%s: its help is %q", c.CommandPath(), f.Name, f.Usage)
			case f.Shorthand != "" && !strings.Contains("oefhn", f.Shorthand):
				t.Errorf("%s --%s: -%s is not known from other tools", c.CommandPath(), f.Name, f.Shorthand)
			}
			for _, variable := range taskVariables {
				if settings.Variable(f.Name) == variable {
					t.Errorf("%s --%s: %s is what tasks are told", c.CommandPath(), f.Name, variable)
				}
			}
			if strings.HasPrefix(settings.Variable(f.Name), "IRIS_PORT_") {
				t.Errorf("%s --%s: %s is a port of a task", c.CommandPath(), f.Name, settings.Variable(f.Name))
			}
		})
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(root)
}

package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// values are what the commands of the tests below can be told.
type values struct {
	Controller []string
	Timeout    time.Duration
	Memory     int64
	CPU        float64
	Retries    *int32
	Loud       bool
	Format     string
	Labels     [][2]string
	Env        []string
}

// tree is `x serve`, `x run` and `x job stop`. The first two have a flag --cpu each, of different meanings.
func tree() (root *cobra.Command, serve, run *values) {
	serve, run = &values{Timeout: time.Minute, Format: "text"}, &values{}
	root = &cobra.Command{Use: "x"}
	config := ""
	Var(root.PersistentFlags(), &config, FileFlag, "a file", Text("file"))
	nothing := func(*cobra.Command, []string) {}

	s := &cobra.Command{Use: "serve", Run: nothing}
	Var(s.Flags(), &serve.Timeout, "worker-timeout", "silence", Duration(time.Second))
	Var(s.Flags(), &serve.Memory, "memory", "memory", Bytes())
	Var(s.Flags(), &serve.CPU, "cpu", "cores it offers", Cores())
	Var(s.Flags(), &serve.Loud, "loud", "be loud", Bool())
	Var(s.Flags(), &serve.Format, "log-format", "format", Choice("format", "text", "json"))
	ListVar(s.Flags(), &serve.Labels, "label", "labels", ",", Pair("a label"))
	ListVar(s.Flags(), &serve.Controller, "controller", "controllers", ",", Text("address"))

	r := &cobra.Command{Use: "run", Run: nothing}
	Var(r.Flags(), &run.CPU, "cpu", "cores a task needs", Cores())
	Var(r.Flags(), &run.Retries, "retries", "retries", Optional(Count[int32](0, 10)))
	ListVar(r.Flags(), &run.Env, "env,e", "variables", "", Text("K=V"))
	ListVar(r.Flags(), &run.Controller, "controller", "controllers", ",", Text("address"))

	job := &cobra.Command{Use: "job"}
	stop := &cobra.Command{Use: "stop", Run: nothing}
	Var(stop.Flags(), new(string), "prefix", "prefix", Text("text"))
	job.AddCommand(stop)
	root.AddCommand(s, r, job)
	Prepare(root)
	return root, serve, run
}

// commandLineWith reads one command line with a file and an environment.
func commandLineWith(t *testing.T, line, file string, environment map[string]string) (serve, run *values, err error) {
	t.Helper()
	root, serve, run := tree()
	var sources Sources
	if file != "" {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("x.yaml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		sources.Files = []string{"none.yaml", "x.yaml"}
	}
	sources.Lookup = func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	var applied error
	root.PersistentPreRun = func(c *cobra.Command, _ []string) { applied = sources.Apply(c) }
	root.SetArgs(strings.Fields(line))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return serve, run, applied
}

func TestTheStrongerPlaceWins(t *testing.T) {
	two := int32(2)
	for _, c := range []struct {
		name, line, file string
		environment      map[string]string
		serve, run       values
	}{
		{name: "defaults", line: "serve", serve: values{Timeout: time.Minute, Format: "text"}},
		{
			name: "file", line: "serve", file: "worker-timeout: 2m\nmemory: 16GiB\nlog-format: json\nloud: true\n",
			serve: values{Timeout: 2 * time.Minute, Memory: 16 << 30, Format: "json", Loud: true},
		},
		{
			name: "section over top", line: "serve",
			file:  "x serve:\n  worker-timeout: 3m\n  cpu: 2\nworker-timeout: 2m\n",
			serve: values{Timeout: 3 * time.Minute, Format: "text", CPU: 2},
		},
		{
			name: "another verb's section", line: "run", file: "x serve:\n  cpu: 2\nx run:\n  cpu: 0.5\n",
			run: values{CPU: 0.5},
		},
		{
			name: "environment over file", line: "serve", file: "worker-timeout: 2m\nlog-format: json\n",
			environment: map[string]string{"IRIS_WORKER_TIMEOUT": "4m", "IRIS_LOG_FORMAT": ""},
			serve:       values{Timeout: 4 * time.Minute, Format: "json"},
		},
		{
			name: "flag over environment", line: "serve --worker-timeout 5m --loud=false", file: "worker-timeout: 2m\n",
			environment: map[string]string{"IRIS_WORKER_TIMEOUT": "4m", "IRIS_LOUD": "true"},
			serve:       values{Timeout: 5 * time.Minute, Format: "text"},
		},
		{
			name: "lists replace, and do not add up", line: "run --controller a,b --controller c -e X=1,2 -e Y",
			file:        "controller: [d, e]\nenv: {Z: 1}\n",
			environment: map[string]string{"IRIS_CONTROLLER": "f"},
			run:         values{Controller: []string{"a", "b", "c"}, Env: []string{"X=1,2", "Y"}},
		},
		{
			name: "a list in a file", line: "run", file: "controller:\n  - a\n  - b:1\nenv: {Z: 1, A: two words}\nretries: 2\n",
			run: values{Controller: []string{"a", "b:1"}, Env: []string{"Z=1", "A=two words"}, Retries: &two},
		},
		{
			name: "a list in a text", line: "serve", file: "controller: a, b\nlabel: {zone: eu-1}\n",
			environment: map[string]string{"IRIS_LABEL": "a=b,c=d=e"},
			serve: values{
				Timeout: time.Minute, Format: "text", Controller: []string{"a", "b"},
				Labels: [][2]string{{"a", "b"}, {"c", "d=e"}},
			},
		},
		{name: "an empty file", line: "serve", file: "# nothing\n", serve: values{Timeout: time.Minute, Format: "text"}},
		{name: "an empty section", line: "serve", file: "x serve:\n  # cpu: 2\n", serve: values{Timeout: time.Minute, Format: "text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.serve.Format == "" {
				c.serve = values{Timeout: time.Minute, Format: "text"}
			}
			serve, run, err := commandLineWith(t, c.line, c.file, c.environment)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.serve, *serve); diff != "" {
				t.Errorf("serve: %s", diff)
			}
			if diff := cmp.Diff(c.run, *run); diff != "" {
				t.Errorf("run: %s", diff)
			}
		})
	}
}

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name, line, file string
		environment      map[string]string
		want             string
	}{
		{
			name: "all at once, also where a stronger place overrides", line: "serve --cpu none --worker-timeout 9",
			file:        "memory: lots\nworker-timeout: 5 parsecs\n",
			environment: map[string]string{"IRIS_WORKER_TIMEOUT": "0s", "IRIS_LOUD": "perhaps", "IRIS_LOG_FORMAT": "jsn"},
			want: `x.yaml:1:9: memory: "lots" is not a size such as 16GiB or 500MB
x.yaml:2:17: worker-timeout: "5 parsecs" is not a duration such as 90s or 5m
environment variable IRIS_LOG_FORMAT: "jsn" is not text or json; did you mean "json"?
environment variable IRIS_LOUD: "perhaps" is not true or false
environment variable IRIS_WORKER_TIMEOUT: "0s" is too short: it must be at least 1s
flag --cpu: "none" is not a number of cores such as 4 or 0.5
flag --worker-timeout: "9" is not a duration such as 90s or 5m`,
		},
		{
			name: "a misspelt key", line: "run", file: "worker-timeot: 1m\nx sevre:\n  cpu: 1\n  loud: 1\nx serve:\n  memroy: 1\n  retries: 1\n",
			want: `x.yaml:1:1: unknown setting "worker-timeot"; did you mean "worker-timeout"?
x.yaml:2:1: unknown setting "x sevre"; did you mean "x serve"?
x.yaml:6:3: ` + "`x serve`" + ` has no setting "memroy"; did you mean "memory"?
x.yaml:7:3: ` + "`x serve`" + ` has no setting "retries"; it is one of ` + "`x run`",
		},
		{
			name: "a key of two meanings", line: "run", file: "cpu: 1\n",
			want: "x.yaml:1:1: cpu means one thing to `x run` and another to `x serve`; put it into a section: `x run:`",
		},
		{
			name: "every item of a list", line: "serve --label a --label b=c,d", file: "label: [e, f]\n",
			want: `x.yaml:1:8: label: "e" is not a label such as zone=eu-1
x.yaml:1:8: label: "f" is not a label such as zone=eu-1
flag --label: "a" is not a label such as zone=eu-1
flag --label: "d" is not a label such as zone=eu-1`,
		},
		{name: "nothing like it", line: "run", file: "quux: 1\n", want: `x.yaml:1:1: unknown setting "quux"`},
		{
			name: "values of the wrong shape", line: "serve", file: "worker-timeout: [1m, 2m]\nmemory:\nlabel:\n  zone: {a: 1}\nlog-format: {a: b}\n",
			want: `x.yaml:1:17: worker-timeout: this must be one value
x.yaml:2:8: memory: there is no value
x.yaml:4:10: label: this must be a plain value: a text, a number, true or false
x.yaml:5:14: log-format: this must be one value`,
		},
		{name: "a key twice", line: "serve", file: "loud: true\nloud: false\n", want: `x.yaml:2:1: mapping key "loud" already defined at [1:1]`},
		{name: "two documents", line: "serve", file: "loud: true\n---\nloud: false\n", want: "x.yaml: settings are one document, and this file has 2"},
		{name: "no settings", line: "serve", file: "- loud\n", want: "x.yaml:1:1: this must be settings, each `name: value`"},
		{name: "no YAML", line: "serve", file: "loud: [\n", want: "x.yaml:1:7: sequence end token ']' not found"},
		{
			name: "a file that is named and missing", line: "serve --config gone.yaml", file: "loud: perhaps\n",
			want: "flag --config: open gone.yaml: no such file or directory",
		},
		{
			name: "a file that the environment names", line: "serve", file: "loud: true\n",
			environment: map[string]string{"IRIS_CONFIG": "gone.yaml"},
			want:        "environment variable IRIS_CONFIG: open gone.yaml: no such file or directory",
		},
		{name: "a file in a file", line: "serve", file: "config: other.yaml\n", want: `x.yaml:1:1: unknown setting "config"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := commandLineWith(t, c.line, c.file, c.environment)
			if diff := cmp.Diff(c.want, fmt.Sprint(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestANamedFileIsReadInsteadOfTheUsualOnes(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(other, []byte("memory: 1GiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	serve, _, err := commandLineWith(t, "serve --config "+other, "loud: perhaps\n", nil)
	if err != nil || serve.Memory != 1<<30 {
		t.Errorf("memory %d, %v", serve.Memory, err)
	}
}

func TestTheHelpShowsDefaults(t *testing.T) {
	root, _, _ := tree()
	out := strings.Builder{}
	root.SetOut(&out)
	root.SetArgs([]string{"serve", "--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"--worker-timeout duration   silence (default 1m)",
		"--log-format format         format (default text)",
		"--loud                      be loud\n",
		"--cpu cores                 cores it offers\n",
		"--label key=value           labels\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

func TestKindsTakeWhatTheyShouldAndNoMore(t *testing.T) {
	for _, c := range []struct {
		read      func(string) (any, error)
		good, bad []string
	}{
		{erase(Duration(0)), []string{"0", "1m", "1h2m3.5s"}, []string{"", "5", "-1s", "1 m", "9999999h"}},
		{erase(Bytes()), []string{"1", "16GiB", "500MB", "16g", "1.5 GiB"}, []string{"", "0", "-1", "16 parsecs", "16EiB"}},
		{erase(Cores()), []string{"0.001", "4", "1e2"}, []string{"", "0", "-1", "NaN", "Inf", "four", "0.0001"}},
		{erase(Count(1, 10)), []string{"1", "10"}, []string{"", "0", "11", "1.5", "1e1", "99999999999999999999"}},
		{erase(Bool()), []string{"true", "false", "1", "0"}, []string{"", "yes", "2"}},
		{erase(Choice("c", "a", "b")), []string{"a", "B"}, []string{"", "c", "ab"}},
		{erase(Address()), []string{"a:1", ":7070", "[::1]:0", "10.0.0.1:65535"}, []string{"", "a", "a:", "a:b", "a:65536", "a:-1", "::1:1"}},
		{erase(Pair("p")), []string{"a=b", "a=", "a=b=c"}, []string{"", "a", "=b"}},
	} {
		for _, text := range c.good {
			if _, err := c.read(text); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		for _, text := range c.bad {
			if value, err := c.read(text); err == nil {
				t.Errorf("%q was read as %v", text, value)
			}
		}
	}
}

func erase[T any](kind Kind[T]) func(string) (any, error) {
	return func(text string) (any, error) { return kind.Read(text) }
}

func TestAFlagWithoutAVariableIgnoresTheEnvironment(t *testing.T) {
	for _, marked := range []bool{false, true} {
		c := &cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}
		on := false
		flag := Var(c.Flags(), &on, "chaos", "let faults in", Bool())
		if marked {
			NoVariable(flag)
		}
		Prepare(c)
		environment := map[string]string{"IRIS_CHAOS": "true"}
		sources := Sources{Lookup: func(name string) (string, bool) { value, ok := environment[name]; return value, ok }}
		if err := sources.Apply(c); err != nil || on == marked {
			t.Errorf("marked %v: %v, with %v", marked, on, err)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/settings"
)

// specFlags are all that one can say about a job besides its command.
type specFlags struct {
	client.Spec
	variables []string // NAME=VALUE or NAME
	priority  string
}

func (f *specFlags) add(a *app, c *cobra.Command, link *linkFlags) {
	flags := c.Flags()
	f.CPU, f.Memory, f.Replicas = 1, client.GiB, 1
	settings.Var(flags, &f.Name, "name", "the job's name, for people; unset, made from the command", settings.Text("name"))
	settings.Var(flags, &f.ID, "id", "the job's id; the same id and job again is harmless; unset, made from the name",
		settings.Text("id"))
	settings.Var(flags, &f.CPU, "cpu", "the cores each task needs", settings.Cores())
	settings.Var(flags, &f.Memory, "memory", "the memory each task needs", settings.Bytes())
	settings.Var(flags, &f.Replicas, "replicas", "the number of tasks", settings.Count(1, 10_000))
	settings.Var(flags, &f.GroupBy, "group-by", "all tasks at once on workers that share this attribute; \"worker\": on one worker",
		settings.Text("attribute"))
	settings.ListVar(flags, &f.Constraints, "constraint", "only workers of which this holds: zone==eu-1, cores>=8, gpu, !gpu",
		"", constraint())
	settings.ListVar(flags, &f.variables, "env,e", "a variable for the tasks: NAME=VALUE, or NAME to pass it on", "", variable())
	limit := settings.Optional(settings.Count[int32](0, 1<<30))
	settings.Var(flags, &f.MaxRetriesFailure, "max-retries-failure",
		"how many attempts of a task may fail and be retried; unset, 0", limit)
	settings.Var(flags, &f.MaxRetriesPreemption, "max-retries-preemption",
		"how many attempts of a task may be lost with their workers and be retried; unset, 100", limit)
	settings.Var(flags, &f.MaxTaskFailures, "max-task-failures", "how many tasks may fail before the job does; unset, 0", limit)
	settings.Var(flags, &f.Timeout, "timeout", "how long an attempt may run; unset, for ever",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &f.SchedulingTimeout, "scheduling-timeout", "how long a task may wait for its first attempt; unset, for ever",
		settings.Duration(time.Millisecond))
	settings.Var(flags, &f.Workspace, "workspace", "a directory whose content every task finds in its working directory",
		settings.Text("directory"))
	settings.ListVar(flags, &f.Ports, "port", "a name; each task finds a free port in IRIS_PORT_<NAME>", ",",
		settings.Text("name"))
	settings.Var(flags, &f.priority, "priority", "production, interactive or batch; unset, interactive",
		settings.Choice("band", priorities...))
	settings.Var(flags, &f.Exclusive, "exclusive", "two copies of a task never overlap, whatever happens", settings.Bool())
	settings.Var(flags, &f.Parent, "parent", "the id of the job this one ends with", settings.Text("id"))
	complete(c, "priority", priorities...)
	if err := c.RegisterFlagCompletionFunc("parent", a.completeJobs(link, true)); err != nil {
		panic(err) // the flag was declared above
	}
}

var priorities = []string{"production", "interactive", "batch"}

// variable is NAME=VALUE or NAME. A value may be a secret, and is never in an error.
func variable() settings.Kind[string] {
	return settings.Kind[string]{
		Name: "NAME[=VALUE]",
		Read: func(text string) (string, error) {
			name, _, _ := strings.Cut(text, "=")
			if name == "" {
				return "", errors.New("a variable is NAME=VALUE or NAME; here the name is empty")
			}
			return text, nil
		},
		Write: func(string) string { return "" },
	}
}

// spec is the job, with an id.
func (f *specFlags) spec(argv []string, lookup func(string) (string, bool)) (client.Spec, error) {
	spec := f.Spec
	spec.Entrypoint = client.Command(argv...)
	if spec.Name == "" && spec.ID == "" {
		spec.ID = client.NewID(path.Base(argv[0]))
		spec.Name = spec.ID // a name is taken until its job is over, and this one is nobody's choice
	}
	if spec.Name == "" {
		spec.Name = spec.ID
	}
	if spec.ID == "" {
		spec.ID = client.NewID(spec.Name)
	}
	if f.priority != "" {
		spec.Priority = pb.PriorityBand(pb.PriorityBand_value["PRIORITY_BAND_"+strings.ToUpper(f.priority)])
	}
	var wrong []error
	spec.Environment = map[string]string{}
	for _, text := range f.variables {
		name, value, given := strings.Cut(text, "=")
		if !given {
			if value, given = lookup(name); !given {
				wrong = append(wrong, fmt.Errorf("flag --env: %s is not set here, so that it cannot be passed on; say %s=VALUE", name, name))
			}
		}
		spec.Environment[name] = value
	}
	return spec, errors.Join(wrong...)
}

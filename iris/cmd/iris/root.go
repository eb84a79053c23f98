package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"iris/iris/settings"
)

func newRoot(a *app) *cobra.Command {
	root := newGroup("iris", "Run jobs on a cluster",
		newJob(a), newTask(a), newWorker(a), newController(a), newCluster(a), newTop(a), newAuth(a), newChaos(a), newKeeper(a), newVersion(a))
	root.Long = `Iris runs jobs on a cluster: a controller decides, workers run what it decides.

First steps, in two terminals:

  iris cluster start --local
  iris job run -- echo hello

` + "`iris top` shows how the cluster is, `iris job explain JOB` why a job waits or failed, and `iris chaos demo` what Iris is made for." + `

Every flag can also be set in the environment (IRIS_WORKER_TIMEOUT for --worker-timeout) and in files: keys named like the flags,
at the top for every verb, or in a section named like the verb, such as ` + "`iris worker:`" + `. Flags win over the environment, and that
over the files.

Exit codes:

    0  done; of a job: it SUCCEEDED
    1  the job FAILED
    2  the command line, a setting or the job's description is wrong: nothing was done
    3  the job is UNSCHEDULABLE
    4  the job was KILLED, or lost with its workers
    5  Iris could not do what was asked
  130  interrupted; a job that was being followed goes on`
	root.Version = version()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetHelpFunc(a.help)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, "%w", err) })
	settings.Var(root.PersistentFlags(), new(string), settings.FileFlag,
		"read settings from this file, and not from /etc/iris/iris.yaml and ~/.config/iris/iris.yaml", settings.Text("file"))
	settings.Prepare(root)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		places := a.settings
		if !settable(c) {
			places = settings.Sources{Lookup: func(string) (string, bool) { return "", false }}
		}
		if err := places.Apply(c); err != nil {
			return usageError{err}
		}
		return nil
	}
	return root
}

// settable reports whether a verb obeys files and the environment: all but those that help when they are wrong, and the
// keeper, which obeys its worker.
func settable(c *cobra.Command) bool {
	for ; c.HasParent(); c = c.Parent() {
		switch c.Name() {
		case "version", "help", "completion", "keeper", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return false
		}
	}
	return true
}

// newGroup is a verb that does nothing without a further one.
func newGroup(name, short string, verbs ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short, Annotations: map[string]string{groupOnly: "yes"}}
	group.AddCommand(verbs...)
	group.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(c, args)
		}
		c.SetOut(c.ErrOrStderr())
		if err := c.Help(); err != nil {
			return err
		}
		return silent{usageError{errors.New("no verb")}}
	}
	group.Args = cobra.ArbitraryArgs
	return group
}

func unknownVerb(c *cobra.Command, args []string) error {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usage(c, "there is no `%s %s`; did you mean `%s %s`?", c.CommandPath(), args[0], c.CommandPath(), near[0])
	}
	return usage(c, "there is no `%s %s`", c.CommandPath(), args[0])
}

// usage is a mistake in a command line.
func usage(c *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Errorf(format+"\nsee `%s --help`", append(args, c.CommandPath())...)}
}

// arguments wants between least and most arguments (most < 0: any number), which are what it names.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least && what != "":
			return usage(c, "`%s` wants %s", c.CommandPath(), what)
		case most >= 0 && len(args) > most && c.HasSubCommands():
			return unknownVerb(c, args)
		case most >= 0 && len(args) > most:
			return usage(c, "`%s` does not know what to do with %s", c.CommandPath(), quoted(args[most:]))
		}
		return nil
	}
}

func quoted(args []string) string {
	texts := make([]string, len(args))
	for i, arg := range args {
		texts[i] = fmt.Sprintf("%q", arg)
	}
	return strings.Join(texts, " ")
}

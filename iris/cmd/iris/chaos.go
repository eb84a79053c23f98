package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"iris/chaos"
	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/view"
)

func newChaos(a *app) *cobra.Command {
	c := newGroup("chaos", "Inject faults into a cluster that allows it",
		newChaosSites(a), newChaosEnable(a), newChaosList(a), newChaosDisarm(a), newChaosRelease(a), newChaosReset(a), newChaosLog(a),
		newChaosDemo(a))
	c.Long = `Inject faults into a cluster whose daemons were started with --chaos.

A rule is a text: a site, the labels that must match, and when and how to strike.

  worker.heartbeat                                     every beat is lost
  worker.heartbeat[worker=w-0] rate 0.5 max 3 delay 3s fail
  controller.dispatch[job="a, b"] window 10s to 1m0s err "cable cut" code Aborted
  controller.dispatch[worker=w-3]=2*delay(3s)+error(unavailable)->skip(5)->50%error

The last one has steps: the first two hits are late and fail, the next five pass, and from then on half of them fail.
The clauses, in any order: rate 0.5, skip 3, every 3, window 0s to 1m, min 3, max 3, seed 7, may-not-fire; delay 1m30s,
pause, fail, err "text", code Aborted. A rule lives in each process, counts there, and ends with it. The places are listed
by ` + "`iris chaos sites`" + `.`
	return c
}

const ruleArgument = "the id of a rule; `iris chaos list` has it"

// chaosVerb is what all verbs about chaos have.
type chaosVerb struct {
	*app
	link    linkFlags
	output  outputFlag
	targets []string
}

func (v *chaosVerb) command(c *cobra.Command,
	run func(context.Context, pb.ChaosServiceClient, []string) error) *cobra.Command {
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	settings.ListVar(c.Flags(), &v.targets, "target", "only in these processes: ids of workers or controllers", ",",
		settings.Text("id"))
	workers := v.completeWorkers(&v.link)
	if err := c.RegisterFlagCompletionFunc("target", workers); err != nil {
		panic(err) // the flag was declared in the line above
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := v.connect(&v.link, v.link.patience)
		if err != nil {
			return err
		}
		defer l.Close()
		return l.wrong(run(c.Context(), pb.NewChaosServiceClient(l.Conn()), args))
	}
	return c
}

// show writes an answer. A process that did not answer is an error, after the answers of the others.
func (v *chaosVerb) show(answer *pb.ChaosResponse, err error, write func(io.Writer, view.Terminal, []*pb.ChaosReport) error) error {
	if err != nil {
		return err
	}
	if err := v.write(&v.output, answer, func(t view.Terminal) error { return write(v.out, t, answer.Reports) }); err != nil {
		return err
	}
	var missing []string
	for _, r := range answer.Reports {
		if r.Error != nil {
			missing = append(missing, strings.Join(r.Process.GetNames(), ", "))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no answer from %s", strings.Join(missing, ", "))
	}
	return nil
}

func rules(w io.Writer, t view.Terminal, reports []*pb.ChaosReport) error {
	return view.ChaosRules(w, t, false, reports)
}

func newChaosSites(a *app) *cobra.Command {
	v := &chaosVerb{app: a}
	return v.command(&cobra.Command{Use: "sites", Short: "List the places where faults can be injected", Args: arguments(0, 0, "")},
		func(ctx context.Context, service pb.ChaosServiceClient, _ []string) error {
			answer, err := service.ListSites(ctx, &pb.ListChaosSitesRequest{Targets: v.targets})
			return v.show(answer, err, view.ChaosSites)
		})
}

func newChaosList(a *app) *cobra.Command {
	v, perTarget := &chaosVerb{app: a}, false
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the rules, and what they did", Args: arguments(0, 0, "")}
	settings.Var(c.Flags(), &perTarget, "counts", "also what they did to each worker, task or group", settings.Bool())
	return v.command(c, func(ctx context.Context, service pb.ChaosServiceClient, _ []string) error {
		answer, err := service.ListRules(ctx, &pb.ListChaosRulesRequest{Targets: v.targets})
		return v.show(answer, err, func(w io.Writer, t view.Terminal, reports []*pb.ChaosReport) error {
			return view.ChaosRules(w, t, perTarget, reports)
		})
	})
}

func newChaosEnable(a *app) *cobra.Command {
	v, id := &chaosVerb{app: a}, ""
	c := &cobra.Command{
		Use: "enable RULE…", Short: "Arm rules", Args: arguments(1, -1, "a rule, such as 'worker.heartbeat[worker=w-0] max 3'"),
		Example: "  iris chaos enable 'worker.heartbeat[worker=w-0] max 3'\n  iris chaos enable controller.dispatch rate 0.2",
		Long:    "Arm rules; the words of a rule need no quotes if the shell leaves them alone. `iris chaos --help` has the language.",
	}
	settings.Var(c.Flags(), &id, "id", "what the rule is to be called; unset, something made up", settings.Text("id"))
	c.Flags().SetInterspersed(false)
	return v.command(c, func(ctx context.Context, service pb.ChaosServiceClient, args []string) error {
		if id == "" {
			id = chaos.NewID()
		}
		answer, err := service.Enable(ctx, &pb.EnableChaosRequest{Id: id, Text: strings.Join(args, " "), Targets: v.targets})
		return v.show(answer, err, rules)
	})
}

func newChaosDisarm(a *app) *cobra.Command {
	v := &chaosVerb{app: a}
	c := &cobra.Command{Use: "disarm ID", Short: "End a rule; it stays listed", Args: arguments(1, 1, ruleArgument)}
	c.ValidArgsFunction = v.completeRules
	return v.command(c, func(ctx context.Context, service pb.ChaosServiceClient, args []string) error {
		answer, err := service.Disarm(ctx, &pb.DisarmChaosRequest{Id: args[0], Targets: v.targets})
		return v.show(answer, err, rules)
	})
}

func newChaosRelease(a *app) *cobra.Command {
	v, hits := &chaosVerb{app: a}, 0
	c := &cobra.Command{
		Use: "release ID", Short: "Let go on what a rule holds in a pause", Args: arguments(1, 1, ruleArgument),
	}
	c.ValidArgsFunction = v.completeRules
	settings.Var(c.Flags(), &hits, "hits", "at most so many in each process, those held longest first; 0: all",
		settings.Count(0, 1<<30))
	return v.command(c, func(ctx context.Context, service pb.ChaosServiceClient, args []string) error {
		answer, err := service.Release(ctx, &pb.ReleaseChaosRequest{Id: args[0], Hits: uint32(hits), Targets: v.targets})
		return v.show(answer, err, rules)
	})
}

func newChaosReset(a *app) *cobra.Command {
	v := &chaosVerb{app: a}
	return v.command(&cobra.Command{Use: "reset", Short: "End and forget all rules", Args: arguments(0, 0, "")},
		func(ctx context.Context, service pb.ChaosServiceClient, _ []string) error {
			answer, err := service.Reset(ctx, &pb.ResetChaosRequest{Targets: v.targets})
			return v.show(answer, err, rules)
		})
}

func newChaosLog(a *app) *cobra.Command {
	v, past := &chaosVerb{app: a}, false
	c := &cobra.Command{Use: "log", Short: "Show each fault as it happens, until Ctrl-C", Args: arguments(0, 0, "")}
	settings.Var(c.Flags(), &past, "past", "begin with those that are still known", settings.Bool())
	return v.command(c, func(ctx context.Context, service pb.ChaosServiceClient, _ []string) error {
		stream, err := service.Watch(ctx, &pb.WatchChaosRequest{Targets: v.targets, Past: past})
		for err == nil {
			var news *pb.WatchChaosResponse
			if news, err = stream.Recv(); err != nil {
				break
			}
			if v.output.json() {
				_, err = fmt.Fprintln(v.out, string(raw(news)))
			} else {
				err = view.ChaosNews(v.out, v.terminal(v.out), news)
			}
		}
		if ctx.Err() != nil { // Ctrl-C is how it is meant to end
			return nil
		}
		if errors.Is(err, io.EOF) {
			return errors.New("the controller ended the watch")
		}
		return err
	})
}

// completeRules offers the ids of rules.
func (v *chaosVerb) completeRules(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return v.ask(c, &v.link, func(ctx context.Context, l *link) (offers []string) {
		answer, err := pb.NewChaosServiceClient(l.Conn()).ListRules(ctx, &pb.ListChaosRulesRequest{})
		if err != nil {
			return nil
		}
		seen := map[string]bool{}
		for _, report := range answer.Reports {
			for _, rule := range report.Rules {
				if strings.HasPrefix(rule.Id, begun) && !seen[rule.Id] {
					seen[rule.Id] = true
					offers = append(offers, cobra.CompletionWithDesc(rule.Id, rule.Text))
				}
			}
		}
		return offers
	})
}

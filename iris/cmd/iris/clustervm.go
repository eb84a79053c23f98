package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"iris/iris/controller"
	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/view"
)

func newClusterVM(a *app) *cobra.Command {
	return newGroup("vm", "Ask about the machines of scale groups", newVMStatus(a), newVMLogs(a))
}

func newVMStatus(a *app) *cobra.Command {
	v := &fleetVerb{app: a}
	c := &cobra.Command{
		Use: "status [GROUP | SLICE]", Short: "Show slices and their machines", Args: arguments(0, 1, ""),
		Long: "Show slices, all, those of a scale group, or one, and their machines: in which state they are, for how long, what " +
			"runs there, and what is wrong. Times of day are in UTC.",
	}
	c.ValidArgsFunction = completeOne(a.completeFleet(&v.link, offerGroups, offerSlices))
	return v.command(c, func(fleet *pb.GetFleetResponse, name string) error {
		groups, ids, _ := names(fleet)
		return keepNamed(fleet, name, slices.Concat(groups, ids), c.CommandPath())
	}, func(t view.Terminal, fleet *pb.GetFleetResponse, _ []string) error {
		groups, _, _ := names(fleet)
		byGroup := slices.SortedStableFunc(slices.Values(fleet.Slices), func(a, b *pb.SliceStatus) int {
			return cmp.Compare(slices.Index(groups, a.Group), slices.Index(groups, b.Group))
		})
		return view.Slices(v.out, t, v.output.wide(), v.now(), byGroup)
	})
}

// vmLogs is `iris cluster vm logs`.
type vmLogs struct {
	*app
	link   linkFlags
	output outputFlag
	tail   int
}

func newVMLogs(a *app) *cobra.Command {
	v := &vmLogs{app: a, tail: 100}
	c := &cobra.Command{
		Use: "logs MACHINE", Short: "Show what a machine said while it came up", Args: arguments(1, 1, "a machine"),
		Long: "Show what a machine of a slice said while it came up: its boot, and its worker. `iris cluster vm status` has the " +
			"ids of machines. What the platform of a machine keeps, and for how long, differs.",
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.Context(), args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	settings.Var(c.Flags(), &v.tail, "tail,n", "only so many lines, the last ones", settings.Count(1, controller.MaxMachineLines))
	c.ValidArgsFunction = completeOne(a.completeFleet(&v.link, offerMachines))
	return c
}

func (v *vmLogs) run(ctx context.Context, machine string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	lines, err := l.MachineLogs(ctx, machine, v.tail)
	if s := refused(err); s != nil && s.Code() == codes.NotFound {
		return missing(ctx, l, machine, err)
	}
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, &pb.FetchMachineLogsResponse{Lines: lines}, func(view.Terminal) error {
		for _, line := range lines {
			if _, err := fmt.Fprintln(v.out, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing is why there is nothing of a machine: there is none of that name, or it is just going.
func missing(ctx context.Context, l *link, machine string, err error) error {
	fleet, failed := l.Fleet(ctx)
	if failed != nil {
		return l.wrong(err)
	}
	_, _, machines := names(fleet)
	if slices.Contains(machines, machine) {
		return l.wrong(err)
	}
	return unknownOf("machine", machine, machines, "iris cluster vm status")
}

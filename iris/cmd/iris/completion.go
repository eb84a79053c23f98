package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/view"
)

// completionLimit is how long a shell waits for what a controller knows.
const completionLimit = time.Second

type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// ask connects for a completion. What goes wrong offers nothing: nobody reads errors there.
func (a *app) ask(c *cobra.Command, f *linkFlags,
	offer func(context.Context, *link) []string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	if a.settings.Apply(c) != nil {
		return nil, none
	}
	l, err := a.connect(f, 0)
	if err != nil {
		return nil, none
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(c.Context(), completionLimit)
	defer cancel()
	return offer(ctx, l), none
}

// completeJobs offers the ids of jobs, each with its name and state; live offers only those that are not over.
func (a *app) completeJobs(f *linkFlags, live bool) completer {
	return func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.ask(c, f, func(ctx context.Context, l *link) (offers []string) {
			jobs, err := l.Jobs(ctx, "")
			if err != nil {
				return nil
			}
			for _, j := range jobs {
				if strings.HasPrefix(j.JobId, begun) && !(live && j.State.Over()) {
					offers = append(offers, cobra.CompletionWithDesc(j.JobId, j.Name+" "+view.JobState(j.State)))
				}
			}
			return offers
		})
	}
}

// completeWorkers offers the ids of workers.
func (a *app) completeWorkers(f *linkFlags) completer {
	return func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.ask(c, f, func(ctx context.Context, l *link) (offers []string) {
			workers, err := l.Workers(ctx)
			if err != nil {
				return nil
			}
			for _, w := range workers {
				if strings.HasPrefix(w.WorkerId, begun) {
					offers = append(offers, cobra.CompletionWithDesc(w.WorkerId, view.WorkerState(w.State)))
				}
			}
			return offers
		})
	}
}

// completeOne offers something for the only argument.
func completeOne(offer completer) completer {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(c, args, begun)
	}
}

// completeFleet offers what there is of the fleet.
func (a *app) completeFleet(f *linkFlags, offer ...func(*pb.GetFleetResponse) []string) completer {
	return func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.ask(c, f, func(ctx context.Context, l *link) (offers []string) {
			fleet, err := l.Fleet(ctx)
			if err != nil {
				return nil
			}
			for _, of := range offer {
				for _, text := range of(fleet) {
					if strings.HasPrefix(text, begun) {
						offers = append(offers, text)
					}
				}
			}
			return offers
		})
	}
}

func offerGroups(fleet *pb.GetFleetResponse) (offers []string) {
	for _, g := range fleet.Groups {
		offers = append(offers, cobra.CompletionWithDesc(g.Name, strings.TrimSpace("scale group "+view.Availability(g))))
	}
	return offers
}

func offerSlices(fleet *pb.GetFleetResponse) (offers []string) {
	for _, s := range fleet.Slices {
		offers = append(offers, cobra.CompletionWithDesc(s.SliceId, view.VMState(s.State)))
	}
	return offers
}

// offerPast offers groups and slices, those that are gone as well.
func offerPast(fleet *pb.GetFleetResponse) []string {
	groups, ids, _ := names(fleet)
	pastGroups, pastSlices := pastNames(fleet)
	return slices.Concat(offerGroups(fleet), pastGroups[len(groups):], offerSlices(fleet), pastSlices[len(ids):])
}

func offerMachines(fleet *pb.GetFleetResponse) (offers []string) {
	for _, s := range fleet.Slices {
		for _, m := range s.Machines {
			offers = append(offers, cobra.CompletionWithDesc(m.MachineId, view.VMState(m.State)))
		}
	}
	return offers
}

package main

import (
	"slices"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/view"
)

func newClusterGroups(a *app) *cobra.Command {
	v := &fleetVerb{app: a}
	c := &cobra.Command{
		Use: "groups [NAME]", Short: "List scale groups, and why each grew or did not; or show one", Args: arguments(0, 1, ""),
		Long: `List scale groups in the order in which they are asked for machines, and why each grew or did not. SLICES is how many are
READY, how many there are, and how many there may be. With a name, show all there is to say about that group: how it is
configured, its slices, and what happened to them lately. Times of day are in UTC.`,
	}
	c.ValidArgsFunction = completeOne(a.completeFleet(&v.link, offerGroups))
	return v.command(c, func(fleet *pb.GetFleetResponse, name string) error {
		if groups, _, _ := names(fleet); !slices.Contains(groups, name) {
			return unknownOf("scale group", name, groups, c.CommandPath())
		}
		keep(fleet, func(group, _ string) bool { return group == name })
		return nil
	}, func(t view.Terminal, fleet *pb.GetFleetResponse, args []string) error {
		if len(args) == 0 {
			return view.Groups(v.out, t, v.output.wide(), v.now(), fleet)
		}
		return view.Group(v.out, t, v.output.wide(), v.now(), fleet)
	})
}

func newClusterEvents(a *app) *cobra.Command {
	v := &fleetVerb{app: a}
	c := &cobra.Command{
		Use: "events [GROUP | SLICE]", Short: "List what happened to slices lately, and why", Args: arguments(0, 1, ""),
		Long: "List the last hundred things that happened to slices, or those of them that happened to slices of a scale group or to one " +
			"slice, and why, the oldest first. What is gone counts as well. Times are in UTC.",
	}
	c.ValidArgsFunction = completeOne(a.completeFleet(&v.link, offerPast))
	return v.command(c, func(fleet *pb.GetFleetResponse, name string) error {
		groups, ids := pastNames(fleet)
		return keepNamed(fleet, name, slices.Concat(groups, ids), c.CommandPath())
	}, func(t view.Terminal, fleet *pb.GetFleetResponse, _ []string) error {
		return view.SliceEvents(v.out, t, v.output.wide(), v.now(), fleet.Events)
	})
}

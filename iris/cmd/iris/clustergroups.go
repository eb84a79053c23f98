package main

import (
	"slices"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/settings"
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
	return v.command(c, func(fleet *pb.GetFleetResponse, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if groups, _, _ := names(fleet); !slices.Contains(groups, args[0]) {
			return unknownOf("scale group", args[0], groups, c.CommandPath())
		}
		keep(fleet, ofGroup(args[0]))
		return nil
	}, func(t view.Terminal, fleet *pb.GetFleetResponse, args []string) error {
		if len(args) == 0 {
			return view.Groups(v.out, t, v.output.wide(), v.now(), fleet)
		}
		return view.Group(v.out, t, v.output.wide(), v.now(), fleet)
	})
}

func newClusterEvents(a *app) *cobra.Command {
	v, group := &fleetVerb{app: a}, ""
	c := &cobra.Command{
		Use: "events [SLICE]", Short: "List what happened to slices lately, and why", Args: arguments(0, 1, ""),
		Long: "List the last hundred things that happened to slices, those included that are gone, and why they happened, the oldest " +
			"first. Times are in UTC.",
	}
	settings.Var(c.Flags(), &group, "group,g", "only what happened to slices of this scale group", settings.Text("name"))
	if err := c.RegisterFlagCompletionFunc("group", a.completeFleet(&v.link, offerGroups)); err != nil {
		panic(err) // the flag was declared in the line above
	}
	c.ValidArgsFunction = completeOne(a.completeFleet(&v.link, offerPastSlices))
	return v.command(c, func(fleet *pb.GetFleetResponse, args []string) error {
		if groups, _ := pastNames(fleet); group != "" {
			if !slices.Contains(groups, group) {
				return unknownOf("scale group", group, groups, "iris cluster groups")
			}
			keep(fleet, ofGroup(group))
		}
		if len(args) == 0 {
			return nil
		}
		if _, ids := pastNames(fleet); !slices.Contains(ids, args[0]) {
			return unknownOf("slice", args[0], ids, "iris cluster vm status")
		}
		keep(fleet, func(_, slice string) bool { return slice == args[0] })
		return nil
	}, func(t view.Terminal, fleet *pb.GetFleetResponse, _ []string) error {
		return view.SliceEvents(v.out, t, v.output.wide(), v.now(), fleet.Events)
	})
}

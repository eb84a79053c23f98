package main

import (
	"slices"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/view"
)

// fleetVerb is what all verbs about scale groups and slices have. As JSON each writes all there is to say about what it was
// asked for: groups, their slices, and what happened to those.
type fleetVerb struct {
	*app
	link   linkFlags
	output outputFlag
}

// command narrows what there is down to what the argument names, if there is one, and shows that.
func (v *fleetVerb) command(c *cobra.Command, narrow func(fleet *pb.GetFleetResponse, name string) error,
	show func(view.Terminal, *pb.GetFleetResponse, []string) error) *cobra.Command {
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputWide, outputJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := v.connect(&v.link, v.link.patience)
		if err != nil {
			return err
		}
		defer l.Close()
		fleet, err := l.Fleet(c.Context())
		if err != nil {
			return l.wrong(err)
		}
		if len(args) > 0 {
			if err := narrow(fleet, args[0]); err != nil {
				return err
			}
		}
		return v.write(&v.output, fleet, func(t view.Terminal) error { return show(t, fleet, args) })
	}
	return c
}

// keep drops the slices that are not wanted, what happened to them, and the groups of which nothing is left. A group that is
// wanted itself, as one without a slice, stays.
func keep(fleet *pb.GetFleetResponse, want func(group, slice string) bool) {
	left := map[string]bool{}
	fleet.Slices = slices.DeleteFunc(fleet.Slices, func(s *pb.SliceStatus) bool { return !want(s.Group, s.SliceId) })
	for _, s := range fleet.Slices {
		left[s.Group] = true
	}
	fleet.Events = slices.DeleteFunc(fleet.Events, func(e *pb.SliceEvent) bool { return !want(e.Group, e.SliceId) })
	for _, e := range fleet.Events {
		left[e.Group] = true
	}
	fleet.Groups = slices.DeleteFunc(fleet.Groups, func(g *pb.ScaleGroupStatus) bool { return !left[g.Name] && !want(g.Name, "") })
}

// keepNamed keeps what belongs to a scale group or a slice, one of those that are known.
func keepNamed(fleet *pb.GetFleetResponse, name string, known []string, list string) error {
	if !slices.Contains(known, name) {
		return unknownOf("scale group or slice", name, known, list)
	}
	keep(fleet, func(group, slice string) bool { return group == name || slice == name })
	return nil
}

// names are those of the groups, the slices and the machines there are.
func names(fleet *pb.GetFleetResponse) (groups, ids, machines []string) {
	for _, g := range fleet.Groups {
		groups = append(groups, g.Name)
	}
	for _, s := range fleet.Slices {
		ids = append(ids, s.SliceId)
		for _, m := range s.Machines {
			machines = append(machines, m.MachineId)
		}
	}
	return groups, ids, machines
}

// pastNames are those of groups and slices of which something is known: first those that there are, then those that are gone.
func pastNames(fleet *pb.GetFleetResponse) (groups, ids []string) {
	groups, ids, _ = names(fleet)
	for _, e := range fleet.Events {
		if !slices.Contains(groups, e.Group) {
			groups = append(groups, e.Group)
		}
		if !slices.Contains(ids, e.SliceId) {
			ids = append(ids, e.SliceId)
		}
	}
	return groups, ids
}

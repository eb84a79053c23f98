package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Group writes all there is to say about a scale group, the only one of a fleet: how it is configured, how it fares, its
// slices with their machines, and what happened to slices of it lately. Wide adds columns and cuts nothing. Times of day are
// in UTC.
func Group(w io.Writer, terminal Terminal, wide bool, now time.Time, fleet *pb.GetFleetResponse) error {
	g, out := fleet.Groups[0], sheet{terminal: terminal, label: 14}
	out.field("Group", g.Name, plain)
	out.field("Slices", theseOf(fleet, g), plain)
	out.field("Limits", limitsOf(g), plain)
	out.field("Each is", makeOf(g), plain)
	out.field("Zones", strings.Join(g.Zones, ", "), plain)
	out.field("Rank", fmt.Sprintf("%d; the group with the lowest is asked first", g.Rank), plain)
	out.field("Demand", model.CountText(int(g.Demand), "slice"), plain)
	if standing := availabilityOf(g, now); standing != "" {
		out.field("Availability", standing, states[Availability(g)])
	}
	if why := Growth(fleet, g); why != "" {
		out.field("Why", why, plain)
	}
	for _, b := range g.Blocked {
		out.field("Not asked", fmt.Sprintf("%s until %s: %s", b.Zone, clock(b.Until, now), b.Cause), yellow)
	}
	if g.Failure != "" {
		out.field("Last failure", g.Failure, red)
	}
	if g.LastScaleUpAt != nil {
		out.field("Grew", ago(g.LastScaleUpAt, now), plain)
	}
	if g.LastScaleDownAt != nil {
		out.field("Shrank", ago(g.LastScaleDownAt, now), plain)
	}
	if len(fleet.Slices) > 0 {
		out.WriteByte('\n')
		if err := Slices(&out, terminal, wide, now, fleet.Slices); err != nil {
			return err
		}
	}
	if len(fleet.Events) > 0 {
		out.WriteByte('\n')
		if err := SliceEvents(&out, terminal, wide, now, fleet.Events); err != nil {
			return err
		}
	}
	return out.write(w)
}

// makeOf is what a slice is made of.
func makeOf(g *pb.ScaleGroupStatus) string {
	text := fmt.Sprintf("%s of %v", model.CountText(int(g.Machines), "machine"), model.ResourcesOf(g.Capacity))
	if g.Machines > 1 {
		text += " each"
	}
	if g.Variant != "" {
		text = g.Variant + ", " + text
	}
	return text
}

// limitsOf is how many slices there may be.
func limitsOf(g *pb.ScaleGroupStatus) string {
	if g.Removed {
		return "none any more: it is not configured"
	}
	text := fmt.Sprintf("%d to %d", g.MinSlices, g.MaxSlices)
	if g.BufferSlices > 0 {
		text += fmt.Sprintf(", %d of them idle in reserve", g.BufferSlices)
	}
	return text
}

// theseOf is "3: 1 BOOTING, 2 READY".
func theseOf(fleet *pb.GetFleetResponse, g *pb.ScaleGroupStatus) string {
	if len(fleet.Slices) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d: %s", len(fleet.Slices), stateCounts(fleet, g))
}

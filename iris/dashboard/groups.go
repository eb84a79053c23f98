package dashboard

import (
	"context"
	"net/http"
	"slices"

	pb "iris/iris/proto"
)

// groupsPage is what the page of scale groups shows.
type groupsPage struct {
	Fleet  *pb.GetFleetResponse
	Groups []group
	Slices cut[*pb.SliceStatus]
	Events []*pb.SliceEvent // the newest first
}

// group is a scale group with how many slices it has.
type group struct {
	*pb.ScaleGroupStatus
	Ready, All int
}

// shownEvents is how many of the last events are listed.
const shownEvents = 30

func (s *Server) groups(r *http.Request) (look, error) {
	page, err := pageOf(r)
	if err != nil {
		return look{}, err
	}
	return look{"groups", "Scale groups", "groups", func(ctx context.Context, c calls) (any, error) {
		fleet, err := c.cluster.GetFleet(ctx, &pb.GetFleetRequest{})
		if err != nil {
			return nil, err
		}
		p := groupsPage{Fleet: fleet, Groups: groupsOf(fleet), Slices: cutOf(fleet.Slices, page, func(page string) string { return link("/groups", "page", page) })}
		p.Events = newest(fleet.Events, shownEvents)
		return p, nil
	}}, nil
}

func groupsOf(fleet *pb.GetFleetResponse) []group {
	var all []group
	for _, g := range fleet.Groups {
		of := group{ScaleGroupStatus: g}
		for _, s := range fleet.Slices {
			if s.Group == g.Name {
				of.All++
				if s.State == pb.VmState_VM_STATE_READY {
					of.Ready++
				}
			}
		}
		all = append(all, of)
	}
	return all
}

// newest are the last so many, the newest first.
func newest(events []*pb.SliceEvent, most int) []*pb.SliceEvent {
	last := slices.Clone(events[max(0, len(events)-most):])
	slices.Reverse(last)
	return last
}

// controllersPage is what the page of controllers shows.
type controllersPage struct{ Controllers []*pb.ControllerStatus }

func (s *Server) controllers(*http.Request) (look, error) {
	return look{"controllers", "Controllers", "controllers", func(ctx context.Context, c calls) (any, error) {
		out, err := c.cluster.ListControllers(ctx, &pb.ListControllersRequest{})
		if err != nil {
			return nil, err
		}
		return controllersPage{out.Controllers}, nil
	}}, nil
}

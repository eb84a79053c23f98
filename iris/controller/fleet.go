package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/autoscaler"
	pb "iris/iris/proto"
	"iris/iris/provision"
	"iris/iris/state"
	"iris/iris/vm"
)

// GetFleet describes scale groups and slices.
func (s *clusterService) GetFleet(ctx context.Context, _ *pb.GetFleetRequest) (*pb.GetFleetResponse, error) {
	return ask(ctx, s.controller.seat, nil, func(l *loop, _ []error) *pb.GetFleetResponse {
		c := l.leader.Cluster()
		at, decided := l.leader.Scaled()
		out := &pb.GetFleetResponse{EvaluatedAt: instant(at)}
		for _, g := range c.Groups() {
			out.Groups = append(out.Groups, groupProto(g, at, decided.Groups))
		}
		for _, slice := range c.Slices() {
			out.Slices = append(out.Slices, sliceProto(c, slice))
		}
		for _, e := range c.SliceEvents() {
			out.Events = append(out.Events, &pb.SliceEvent{
				At: instant(e.At), Kind: pb.SliceEventKind(e.Kind), Group: e.Group, SliceId: e.Slice, Text: e.Text,
			})
		}
		return out
	})
}

// groupProto is a group as it was when slices were decided about last, with how all groups stood then.
func groupProto(g *state.ScaleGroup, at time.Time, standings []autoscaler.Standing) *pb.ScaleGroupStatus {
	out := &pb.ScaleGroupStatus{
		Name: g.Name, Variant: g.AcceleratorVariant, Machines: int32(g.VMs), MinSlices: int32(g.MinSlices),
		MaxSlices: int32(g.MaxSlices), BufferSlices: int32(g.BufferSlices), Zones: g.Zones, Capacity: g.Capacity.Proto(),
		Rank: int32(g.Rank), Failures: int32(g.Failures), Failure: g.Failure, BackoffUntil: instant(g.BackoffUntil),
		LastScaleUpAt: instant(g.LastUp), LastScaleDownAt: instant(g.LastDown), Removed: g.Removed,
	}
	for _, zone := range slices.Sorted(maps.Keys(g.Blocked)) {
		b := g.Blocked[zone]
		if b.Until.After(at) {
			out.Blocked = append(out.Blocked, &pb.ScaleGroupStatus_Block{Zone: zone, Until: instant(b.Until), Cause: b.Cause})
		}
	}
	if i := slices.IndexFunc(standings, func(s autoscaler.Standing) bool { return s.Group == g.Name }); i >= 0 {
		out.Demand, out.Text = int32(standings[i].Demand), standings[i].Text
		out.Availability = pb.ScaleGroupStatus_Availability(standings[i].Availability) + pb.ScaleGroupStatus_AVAILABILITY_AVAILABLE
	}
	return out
}

func sliceProto(c *state.Cluster, s *state.Slice) *pb.SliceStatus {
	out := &pb.SliceStatus{
		SliceId: s.ID, Group: s.Group, Zone: s.Zone, State: pb.VmState(s.State), Since: instant(s.Since),
		RequestedAt: instant(s.Requested), ReadyAt: instant(s.ReadyAt), IdleSince: instant(s.IdleSince), Reason: s.Reason,
		Cause: s.Cause, Attempts: int32(s.Held()),
	}
	for _, v := range s.VMs {
		w := c.Worker(v.WorkerID)
		out.Machines = append(out.Machines, &pb.SliceStatus_Machine{
			MachineId: v.ID, State: pb.VmState(v.State), Address: v.Address, WorkerId: v.WorkerID, InitPhase: v.InitPhase,
			InitError: v.InitError, ChangedAt: instant(v.ChangedAt), LeavesAt: instant(v.LeavesAt), WorkerLive: w != nil && !w.Lost,
		})
	}
	return out
}

// MaxMachineLines is how many lines of what a machine said a controller gives out at once.
const MaxMachineLines = 10_000

const defaultMachineLines = 100

// FetchMachineLogs asks the platform of a machine.
func (s *clusterService) FetchMachineLogs(ctx context.Context, in *pb.FetchMachineLogsRequest) (*pb.FetchMachineLogsResponse, error) {
	lines := int(in.Lines)
	switch {
	case lines == 0:
		lines = defaultMachineLines
	case lines < 0 || lines > MaxMachineLines:
		return nil, status.Errorf(codes.InvalidArgument, "lines is %d; it must be 1 to %d", lines, MaxMachineLines)
	}
	type place struct {
		order provision.Order
		fleet *provision.Provisioner
	}
	at, err := ask(ctx, s.controller.seat, nil, func(l *loop, _ []error) place {
		for _, slice := range l.leader.Cluster().Slices() {
			if slices.ContainsFunc(slice.VMs, func(v vm.VM) bool { return v.ID == in.MachineId }) {
				return place{provision.Order{ID: slice.ID, Group: slice.Group, Zone: slice.Zone}, l.platforms.fleet}
			}
		}
		return place{}
	})
	switch {
	case err != nil:
		return nil, err
	case at.fleet == nil:
		return nil, status.Errorf(codes.NotFound, "there is no machine %q", in.MachineId)
	}
	text, err := at.fleet.Logs(ctx, at.order, in.MachineId, lines)
	switch {
	case errors.Is(err, vm.ErrSliceGone):
		return nil, status.Error(codes.NotFound, err.Error())
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, provision.ErrClosed), errors.Is(err, context.Canceled): // it no longer leads, or ends
		return nil, status.Error(codes.Unavailable, err.Error())
	case err != nil: // the platform was asked: asking again at once would not help
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pb.FetchMachineLogsResponse{Lines: text}, nil
}

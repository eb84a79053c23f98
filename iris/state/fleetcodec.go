package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	pb "iris/iris/proto"
	"iris/iris/vm"
)

// This file gives what is about scale groups and slices the form in which the log and its snapshots keep it.

func encodeGroup(g Group) *pb.ScaleGroup {
	p := g.Pace
	return &pb.ScaleGroup{
		Name: g.Name, Variant: g.AcceleratorVariant, Vms: int64(g.VMs), MinSlices: int64(g.MinSlices),
		MaxSlices: int64(g.MaxSlices), BufferSlices: int64(g.BufferSlices), Zones: g.Zones, Capacity: g.Capacity.Proto(),
		Attributes: g.Attributes, Rank: int64(g.Rank),
		Pace: &pb.ScaleGroup_Pace{
			ScaleUpCooldown: int64(p.ScaleUpCooldown), ScaleDownCooldown: int64(p.ScaleDownCooldown),
			ScaleDownRate: int64(p.ScaleDownRate), IdleThreshold: int64(p.IdleThreshold),
			BackoffInitial: int64(p.BackoffInitial), BackoffMax: int64(p.BackoffMax), QuotaTimeout: int64(p.QuotaTimeout),
			RequestingTimeout: int64(p.RequestingTimeout), BootTimeout: int64(p.BootTimeout), InitTimeout: int64(p.InitTimeout),
			UnhealthyTimeout: int64(p.UnhealthyTimeout), ShortLived: int64(p.ShortLived),
		},
	}
}

func decodeGroup(in *pb.ScaleGroup) (Group, error) {
	p := in.GetPace()
	switch {
	case newer(in) || p != nil && newer(p):
		return Group{}, fmt.Errorf("scale group %q %w", in.GetName(), errNewer)
	case in.GetName() == "" || in.GetVms() < 1:
		return Group{}, fmt.Errorf("scale group %q has %d machines in a slice: it is damaged", in.GetName(), in.GetVms())
	}
	return Group{
		GroupConfig: vm.GroupConfig{
			Name: in.Name, AcceleratorVariant: in.Variant, MinSlices: int(in.MinSlices), MaxSlices: int(in.MaxSlices),
			BufferSlices: int(in.BufferSlices), Zones: in.Zones, VMsPerSlice: int(in.Vms),
		},
		VMs: int(in.Vms), Capacity: ResourcesOf(in.Capacity), Attributes: in.Attributes, Rank: int(in.Rank),
		Pace: Pace{
			ScaleUpCooldown: time.Duration(p.GetScaleUpCooldown()), ScaleDownCooldown: time.Duration(p.GetScaleDownCooldown()),
			ScaleDownRate: int(p.GetScaleDownRate()), IdleThreshold: time.Duration(p.GetIdleThreshold()),
			BackoffInitial: time.Duration(p.GetBackoffInitial()), BackoffMax: time.Duration(p.GetBackoffMax()),
			QuotaTimeout: time.Duration(p.GetQuotaTimeout()), RequestingTimeout: time.Duration(p.GetRequestingTimeout()),
			BootTimeout: time.Duration(p.GetBootTimeout()), InitTimeout: time.Duration(p.GetInitTimeout()),
			UnhealthyTimeout: time.Duration(p.GetUnhealthyTimeout()), ShortLived: time.Duration(p.GetShortLived()),
		},
	}, nil
}

func encodeGroups(groups []Group) *pb.Entry_SetGroups {
	out := &pb.Entry_SetGroups{Groups: make([]*pb.ScaleGroup, len(groups))}
	for i, g := range groups {
		out.Groups[i] = encodeGroup(g)
	}
	return out
}

func decodeGroups(in *pb.Entry_SetGroups) (Command, error) {
	out := SetGroups{Groups: make([]Group, len(in.GetGroups()))}
	for i, g := range in.GetGroups() {
		var err error
		if out.Groups[i], err = decodeGroup(g); err != nil {
			return nil, fmt.Errorf("the log's %w", err)
		}
	}
	return out, nil
}

func encodeVMs(vms []vm.VM) []*pb.SliceVM {
	out := make([]*pb.SliceVM, len(vms))
	for i, v := range vms {
		out[i] = &pb.SliceVM{
			Id: v.ID, State: pb.VmState(v.State), Address: v.Address, WorkerId: v.WorkerID, InitPhase: valid(v.InitPhase),
			InitError: valid(v.InitError), Changed: nanos(v.ChangedAt), Leaves: nanos(v.LeavesAt),
		}
	}
	return out
}

func decodeVMs(in []*pb.SliceVM) ([]vm.VM, error) {
	out := make([]vm.VM, len(in))
	for i, v := range in {
		if newer(v) {
			return nil, fmt.Errorf("machine %q %w", v.GetId(), errNewer)
		}
		if _, known := pb.VmState_name[int32(v.GetState())]; !known {
			return nil, fmt.Errorf("machine %q is in state %d, which this version does not know; upgrade this controller", v.Id, v.State)
		}
		out[i] = vm.VM{
			ID: v.Id, State: vm.State(v.State), Address: v.Address, WorkerID: v.WorkerId, InitPhase: v.InitPhase,
			InitError: v.InitError, ChangedAt: instant(v.Changed), LeavesAt: instant(v.Leaves),
		}
	}
	return out, nil
}

func decodeObserveSlice(in *pb.Entry_ObserveSlice) (Command, error) {
	vms, err := decodeVMs(in.GetVms())
	if err != nil {
		return nil, fmt.Errorf("the log's slice %q: %w", in.GetId(), err)
	}
	return ObserveSlice{ID: in.GetId(), Group: in.GetGroup(), Zone: in.GetZone(), VMs: vms}, nil
}

func decodeRefuseSlice(in *pb.Entry_RefuseSlice) (Command, error) {
	if _, known := pb.Entry_RefuseSlice_Why_name[int32(in.GetWhy())]; !known {
		return nil, fmt.Errorf("the log refuses slice %q for reason %d, which this version does not know; upgrade this controller",
			in.GetId(), in.GetWhy())
	}
	return RefuseSlice{ID: in.GetId(), Why: Refusal(in.GetWhy()), Cause: in.GetCause()}, nil
}

func decodeStopSlice(in *pb.Entry_StopSlice) (Command, error) {
	if _, known := pb.Entry_StopSlice_Why_name[int32(in.GetWhy())]; !known {
		return nil, fmt.Errorf("the log stops slice %q for reason %d, which this version does not know; upgrade this controller",
			in.GetId(), in.GetWhy())
	}
	return StopSlice{ID: in.GetId(), Why: StopWhy(in.GetWhy()), Cause: in.GetCause()}, nil
}

// snapshotFleet adds groups and slices to a snapshot.
func (c *Cluster) snapshotFleet(out *pb.Snapshot) {
	for _, name := range slices.Sorted(maps.Keys(c.fleet.groups)) {
		g := c.fleet.groups[name]
		group := &pb.Snapshot_Group{
			Config: encodeGroup(g.Group), Failures: int64(g.Failures), BackoffUntil: nanos(g.BackoffUntil), Failure: g.Failure,
			FailedAt: nanos(g.FailedAt), LastUp: nanos(g.LastUp), LastDown: nanos(g.LastDown), NextDown: nanos(g.NextDown),
			Made: g.Made, Removed: g.Removed, Blocked: map[string]*pb.Snapshot_Group_Block{},
		}
		for zone, b := range g.Blocked {
			group.Blocked[zone] = &pb.Snapshot_Group_Block{Until: nanos(b.Until), Cause: b.Cause}
		}
		out.Groups = append(out.Groups, group)
	}
	for _, s := range c.fleet.slices {
		out.Slices = append(out.Slices, &pb.Snapshot_Slice{
			Id: s.ID, Group: s.Group, Zone: s.Zone, State: pb.VmState(s.State), Since: nanos(s.Since), Requested: nanos(s.Requested),
			ReadyAt: nanos(s.ReadyAt), IdleSince: nanos(s.IdleSince), Vms: encodeVMs(s.VMs), Reason: s.Reason, Cause: s.Cause,
			Leaving: s.Leaving,
		})
	}
	for _, g := range c.goneSlices() {
		out.GoneSlices = append(out.GoneSlices, &pb.Snapshot_GoneSlice{
			Id: g.ID, Group: g.Group, At: nanos(g.At), Cause: g.Cause, Seen: g.Seen,
		})
	}
	for _, e := range c.fleet.events {
		out.SliceEvents = append(out.SliceEvents, &pb.Snapshot_SliceEvent{
			At: nanos(e.At), Kind: pb.SliceEventKind(e.Kind), Group: e.Group, Slice: e.Slice, Text: e.Text,
		})
	}
}

// fleet restores groups and slices. The workers are there already, and hold nothing yet.
func (r *restorer) fleet(in *pb.Snapshot) error {
	for _, g := range in.Groups {
		if err := r.group(g); err != nil {
			return fmt.Errorf("the snapshot's %w", err)
		}
	}
	for _, s := range in.Slices {
		if err := r.slice(s); err != nil {
			return fmt.Errorf("slice %q in the snapshot %w", s.GetId(), err)
		}
	}
	for _, w := range r.c.workers {
		if s := r.c.fleet.byID[w.Attributes[AttributeSlice]]; s != nil {
			w.slice, s.workers[w.ID] = s, w
		}
	}
	for _, g := range in.GoneSlices {
		if newer(g) {
			return fmt.Errorf("slice %q in the snapshot %w", g.GetId(), errNewer)
		}
		r.c.fleet.gone[g.Id] = Gone{ID: g.Id, Group: g.Group, At: instant(g.At), Cause: g.Cause, Seen: g.Seen}
	}
	for _, e := range in.SliceEvents {
		if newer(e) {
			return fmt.Errorf("an event of slice %q in the snapshot %w", e.GetSlice(), errNewer)
		}
		r.c.fleet.events = append(r.c.fleet.events, SliceEvent{
			At: instant(e.At), Kind: EventKind(e.Kind), Group: e.Group, Slice: e.Slice, Text: e.Text,
		})
	}
	return nil
}

func (r *restorer) group(in *pb.Snapshot_Group) error {
	config, err := decodeGroup(in.GetConfig())
	switch {
	case err != nil:
		return err
	case newer(in):
		return fmt.Errorf("scale group %q %w", config.Name, errNewer)
	case r.c.fleet.groups[config.Name] != nil:
		return fmt.Errorf("scale group %q is there twice", config.Name)
	case in.Failures < 0 || in.Made < 0:
		return fmt.Errorf("scale group %q has had %d failures and %d slices", config.Name, in.Failures, in.Made)
	}
	g := &ScaleGroup{
		Group: config, Failures: int(in.Failures), BackoffUntil: instant(in.BackoffUntil), Failure: in.Failure,
		FailedAt: instant(in.FailedAt), LastUp: instant(in.LastUp), LastDown: instant(in.LastDown), NextDown: instant(in.NextDown),
		Made: in.Made, Removed: in.Removed, Blocked: map[string]Block{},
	}
	for zone, b := range in.Blocked {
		if newer(b) {
			return fmt.Errorf("scale group %q %w", config.Name, errNewer)
		}
		g.Blocked[zone] = Block{Until: instant(b.Until), Cause: b.Cause}
	}
	r.c.fleet.groups[g.Name] = g
	return nil
}

func (r *restorer) slice(in *pb.Snapshot_Slice) error {
	vms, err := decodeVMs(in.GetVms())
	_, known := pb.VmState_name[int32(in.GetState())]
	switch {
	case err != nil:
		return fmt.Errorf("has a %w", err)
	case newer(in):
		return errNewer
	case in.GetId() == "" || r.c.fleet.byID[in.Id] != nil:
		return errors.New("is there twice, or has no id")
	case r.c.fleet.groups[in.Group] == nil:
		return fmt.Errorf("is of group %q, which is not there", in.Group)
	case !known:
		return fmt.Errorf("is in state %d, which this version does not know", in.State)
	}
	r.c.addSlice(&Slice{
		ID: in.Id, Group: in.Group, Zone: in.Zone, State: vm.State(in.State), Since: instant(in.Since),
		Requested: instant(in.Requested), ReadyAt: instant(in.ReadyAt), IdleSince: instant(in.IdleSince), VMs: vms,
		Reason: in.Reason, Cause: in.Cause, Leaving: in.Leaving,
	})
	return nil
}

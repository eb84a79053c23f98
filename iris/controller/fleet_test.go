package controller_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/fakevm"
	"iris/iris/controller"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// speechless is a platform that can say nothing of its machines.
type speechless struct {
	*fakevm.Manager
	why error
}

type speechlessSlice struct {
	vm.Slice
	why error
}

func (p *speechless) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	s, err := p.Manager.CreateSlice(ctx, r)
	if err != nil {
		return nil, err
	}
	return speechlessSlice{s, p.why}, nil
}

func (p *speechless) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	all, err := p.Manager.ListSlices(ctx)
	for i, s := range all {
		all[i] = speechlessSlice{s, p.why}
	}
	return all, err
}

func (s speechlessSlice) Logs(context.Context, string, int) ([]string, error) { return nil, s.why }

// A platform that has nothing to say of a machine has answered: a client does not ask again and again, and who does not exist
// is told apart.
func TestWhyAMachineHasNoLogs(t *testing.T) {
	group := state.Group{
		GroupConfig: vm.GroupConfig{Name: "cpu", MinSlices: 1, MaxSlices: 1, Zones: []string{"here"}}, VMs: 1,
		Capacity: state.Resources{CPUMillis: 1000, MemoryBytes: 1 << 30}, Pace: state.DefaultPace(),
	}
	for _, c := range []struct {
		machine string
		lines   int32
		why     error
		code    codes.Code
		text    string
	}{
		{"cpu-0-vm-0", 1, errors.New("nothing is kept of it"), codes.FailedPrecondition, "nothing is kept of it"},
		{"cpu-0-vm-0", 1, vm.ErrSliceGone, codes.NotFound, "slice is gone"},
		{"cpu-0-vm-1", 1, nil, codes.NotFound, `there is no machine "cpu-0-vm-1"`},
		{"cpu-0-vm-0", 10_001, nil, codes.InvalidArgument, "lines is 10001; it must be 1 to 10000"},
		{"cpu-0-vm-0", -1, nil, codes.InvalidArgument, "lines is -1; it must be 1 to 10000"},
		{"cpu-0-vm-0", 1, nil, codes.OK, ""},
	} {
		cloud, err := fakevm.New(fakevm.Config{Group: group.GroupConfig})
		if err != nil {
			t.Fatal(err)
		}
		scaling := controller.Scaling{
			Groups: []state.Group{group}, Managers: map[string]vm.Manager{"cpu": &speechless{cloud, c.why}},
		}
		inBubble(t, controller.Config{Scaling: scaling}, func(b *bench) {
			service := pb.NewClusterServiceClient(b.conn)
			time.Sleep(time.Minute) // far more than it takes to ask for the slice
			synctest.Wait()
			fleet, err := service.GetFleet(b.Context(), &pb.GetFleetRequest{})
			if err != nil || len(fleet.Slices) != 1 || len(fleet.Slices[0].Machines) != 1 {
				b.Fatalf("no machine: %v, %v", fleet, err)
			}
			_, err = service.FetchMachineLogs(b.Context(), &pb.FetchMachineLogsRequest{MachineId: c.machine, Lines: c.lines})
			if s := status.Convert(err); s.Code() != c.code || s.Message() != c.text {
				b.Errorf("%d lines of %s: %v", c.lines, c.machine, err)
			}
		})
	}
}

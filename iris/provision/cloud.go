package provision

import (
	"context"
	"fmt"

	"iris/chaos"
	"iris/iris/vm"
)

var createSite = chaos.NewSite("vm.create",
	"before a slice is created; firing makes the creation fail", chaos.CanAll, "group").Carrying()

var listSite = chaos.NewSite("vm.list",
	"before the slices of a group are listed; firing makes the list fail", chaos.CanAll, "group").Carrying()

var terminateSite = chaos.NewSite("vm.terminate",
	"before a slice is terminated; firing makes the termination fail, and it is tried again", chaos.CanAll, "group").Carrying()

// Create makes one slice. It is the one way production code does so, and passes the chaos site `vm.create`
// (design §5) with the labels of on, which is not nil and names "group" (and "cluster"). Firing makes the creation
// fail before m is asked. Errors are those of [vm.Manager.CreateSlice], the injected one, or ctx's if it ends meanwhile.
func Create(ctx context.Context, m vm.Manager, on chaos.Labeler, r vm.Request) (vm.Slice, error) {
	if err := createSite.Hit(ctx, on); err != nil {
		return nil, fmt.Errorf("create a slice of %s: %w", on.ChaosLabels()["group"], err)
	}
	return m.CreateSlice(ctx, r)
}

// List is [vm.Manager.ListSlices] behind the chaos site `vm.list`, with the labels of on as in [Create].
func List(ctx context.Context, m vm.Manager, on chaos.Labeler) ([]vm.Slice, error) {
	if err := listSite.Hit(ctx, on); err != nil {
		return nil, fmt.Errorf("list the slices of %s: %w", on.ChaosLabels()["group"], err)
	}
	return m.ListSlices(ctx)
}

// Terminate is [vm.Slice.Terminate] behind the chaos site `vm.terminate`, with the labels of on as in [Create].
func Terminate(ctx context.Context, s vm.Slice, on chaos.Labeler) error {
	if err := terminateSite.Hit(ctx, on); err != nil {
		return fmt.Errorf("terminate %s: %w", s.ID(), err)
	}
	return s.Terminate(ctx)
}

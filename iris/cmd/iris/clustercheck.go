package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
)

// clusterCheck is `iris cluster check`.
type clusterCheck struct {
	*app
	link linkFlags
}

func newClusterCheck(a *app) *cobra.Command {
	v := &clusterCheck{app: a}
	c := &cobra.Command{
		Use:   "check",
		Short: "Verify what must hold of the controller's state at any time",
		Long:  "Verify what must hold of the controller's state at any time. What does not is a bug in Iris; the exit code is 5 then.",
		Args:  arguments(0, 0, ""),
		RunE:  func(c *cobra.Command, _ []string) error { return v.run(c.Context()) },
	}
	v.link.add(c.Flags())
	return c
}

func (v *clusterCheck) run(ctx context.Context) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	answer, err := pb.NewClusterServiceClient(l.Conn()).CheckInvariants(ctx, &pb.CheckInvariantsRequest{})
	switch {
	case err != nil:
		return l.wrong(err)
	case answer.Violations != "":
		return fmt.Errorf("the controller's state is wrong:\n%s", answer.Violations)
	}
	_, err = fmt.Fprintln(v.out, "all invariants hold")
	return err
}

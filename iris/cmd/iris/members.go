package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

func newMembers(a *app) *cobra.Command {
	return newGroup("members", "Ask about the controllers of a cluster, and change which there are",
		newMembersList(a), newMembersAdd(a), newMembersRemove(a), newMembersTransfer(a))
}

// membersVerb is what all verbs about controllers have.
type membersVerb struct {
	*app
	link   linkFlags
	output outputFlag
}

// command does something, if there is anything to do, and shows the controllers that there are then.
func (v *membersVerb) command(c *cobra.Command, do func(context.Context, *client.Client, []string) error) *cobra.Command {
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := v.connect(&v.link, v.link.patience)
		if err != nil {
			return err
		}
		defer l.Close()
		if do != nil {
			if err := do(c.Context(), l.Client, args); err != nil {
				return l.wrong(err)
			}
		}
		controllers, err := settled(c.Context(), l)
		if err != nil {
			return l.wrong(err)
		}
		return v.write(&v.output, &pb.ListControllersResponse{Controllers: controllers}, func(t view.Terminal) error {
			return view.Controllers(v.out, t, controllers)
		})
	}
	return c
}

// settled lists the controllers. One that has just handed leadership on may answer before it knows to whom: it is asked again
// for a while.
func settled(ctx context.Context, l *link) ([]*pb.ControllerStatus, error) {
	for until := time.Now().Add(settleTime); ; {
		controllers, err := l.Controllers(ctx)
		leads := slices.ContainsFunc(controllers, func(c *pb.ControllerStatus) bool { return c.Leads })
		if err != nil || leads || time.Now().After(until) {
			return controllers, err
		}
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const (
	settleTime  = 5 * time.Second
	settlePause = 100 * time.Millisecond
)

// completeMembers offers the ids of controllers.
func (v *membersVerb) completeMembers(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return v.ask(c, &v.link, func(ctx context.Context, l *link) (offers []string) {
		controllers, err := l.Controllers(ctx)
		if err != nil {
			return nil
		}
		for _, c := range controllers {
			offers = append(offers, cobra.CompletionWithDesc(c.ControllerId, c.Address))
		}
		return offers
	})
}

func newMembersList(a *app) *cobra.Command {
	v := &membersVerb{app: a}
	return v.command(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the controllers, and which of them leads", Args: arguments(0, 0, ""),
	}, nil)
}

func newMembersAdd(a *app) *cobra.Command {
	v := &membersVerb{app: a}
	return v.command(&cobra.Command{
		Use: "add ID ADDRESS", Short: "Let a controller take part; it was started with --join",
		Long: "Let a controller take part. A controller that was started with --join does this itself, if its credentials allow it.",
		Args: arguments(2, 2, "the controller's id, and the address others reach it by"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		return c.AddController(ctx, args[0], args[1])
	})
}

func newMembersRemove(a *app) *cobra.Command {
	v := &membersVerb{app: a}
	c := &cobra.Command{
		Use: "remove ID", Short: "End a controller's part", Args: arguments(1, 1, "the id of a controller"),
		Long: "End a controller's part, for one that is gone for good for example. A majority of the others must be there.",
	}
	c.ValidArgsFunction = completeOne(v.completeMembers)
	return v.command(c, func(ctx context.Context, c *client.Client, args []string) error {
		return c.RemoveController(ctx, args[0])
	})
}

func newMembersTransfer(a *app) *cobra.Command {
	v := &membersVerb{app: a}
	c := &cobra.Command{
		Use: "transfer [ID]", Short: "Have another controller lead, before the one that does is stopped for example",
		Args: arguments(0, 1, ""),
	}
	c.ValidArgsFunction = completeOne(v.completeMembers)
	return v.command(c, func(ctx context.Context, c *client.Client, args []string) error {
		return c.TransferLeadership(ctx, append(args, "")[0])
	})
}

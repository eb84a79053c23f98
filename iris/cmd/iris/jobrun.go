package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"iris/iris/client"
	"iris/iris/settings"
)

// jobRun is `iris job run`.
type jobRun struct {
	*app
	link     linkFlags
	output   outputFlag
	spec     specFlags
	noWait   bool
	waitLong time.Duration
}

// longPatience is how long a controller may be away from those who follow a job.
const longPatience = 10 * time.Minute

func newJobRun(a *app) *cobra.Command {
	v := &jobRun{app: a, waitLong: longPatience}
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run a command on the cluster and follow it to its end",
		Long: `Run a command on the cluster and follow it to its end: what it writes comes to standard output and standard error, how it
fares to standard error. The exit code tells how it ended: 0 SUCCEEDED, 1 FAILED, 3 UNSCHEDULABLE, 4 KILLED or WORKER_FAILED.
Ctrl-C lets the job go on without you (exit code 130).`,
		Example: `  iris job run -- echo hello
  iris job run --replicas 8 --cpu 0.5 --memory 512MiB -- python train.py
  iris job run --group-by slice --replicas 4 --constraint zone==eu-1 --workspace . -- ./train.sh`,
		Args: arguments(1, -1, "a command to run, after `--`"),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.Context(), args) },
	}
	c.Flags().SetInterspersed(false) // what follows the command is the command's
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	v.spec.add(a, c, &v.link)
	settings.Var(c.Flags(), &v.noWait, "no-wait", "print the job's id and do not follow it", settings.Bool())
	settings.Var(c.Flags(), &v.waitLong, "wait-patience", "how long a controller may be away while the job is followed",
		settings.Duration(0))
	group(c.Flags(), reachFlags, "wait-patience")
	return c
}

func (v *jobRun) run(ctx context.Context, argv []string) error {
	spec, err := v.spec.spec(argv, v.settings.Lookup)
	if err != nil {
		return usageError{err}
	}
	if err := v.submit(ctx, spec); err != nil {
		return err
	}
	if v.noWait {
		return v.submitted(ctx, spec.ID)
	}
	l, err := v.connect(&v.link, v.waitLong)
	if err != nil {
		return err
	}
	defer l.Close()
	return v.attach(ctx, l, spec.ID, attachment{json: v.output.json(), tasks: int32(spec.Replicas), fresh: true})
}

// submit launches the job; when it returns an error, nothing is launched, or the error says that this is not known.
func (v *jobRun) submit(ctx context.Context, spec client.Spec) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = l.Submit(ctx, spec)
	s := refused(err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return unsure(fmt.Errorf("%w while the job was being launched", errInterrupted), spec.ID)
	case s == nil: // the workspace
		return usageError{err}
	}
	wrong := l.wrong(err)
	switch s.Code() {
	case codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition, codes.NotFound:
		return usageError{wrong}
	case codes.Unavailable, codes.DeadlineExceeded:
		if _, never := unreachable(s.Message()); !never {
			return unsure(wrong, spec.ID)
		}
	}
	return wrong
}

// unsure says that a job may have been launched.
func unsure(err error, id string) error {
	return fmt.Errorf("%w\nthe job may have been launched all the same: `iris job status %s` tells", err, id)
}

// submitted says what --no-wait says: the id, for a program to read.
func (v *jobRun) submitted(ctx context.Context, id string) error {
	if !v.output.json() {
		fmt.Fprintln(v.out, id)
		return nil
	}
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	status, err := l.Job(id).Status(ctx)
	if err != nil {
		return errors.Join(l.wrong(err), fmt.Errorf("job %s is launched", id))
	}
	_, err = fmt.Fprintln(v.out, event("status", status))
	return err
}

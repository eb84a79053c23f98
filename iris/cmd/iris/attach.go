package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"iris/iris/follow"
)

// jobAttach is `iris job attach`.
type jobAttach struct {
	*app
	link   linkFlags
	output outputFlag
}

func newJobAttach(a *app) *cobra.Command {
	v := &jobAttach{app: a}
	c := &cobra.Command{
		Use:   "attach JOB",
		Short: "Follow a job to its end, as `iris job run` does",
		Long: "Follow a job to its end, as `iris job run` does, with the same exit codes. What the last attempts wrote is shown from " +
			"their beginning. " + jobArgument,
		Args: arguments(1, 1, "a job"),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.Context(), args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	c.ValidArgsFunction = completeOne(a.completeJobs(&v.link, true))
	return c
}

func (v *jobAttach) run(ctx context.Context, text string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	job, err := l.job(ctx, text)
	if err != nil {
		return err
	}
	patient, err := v.connect(&v.link, max(v.link.patience, longPatience))
	if err != nil {
		return err
	}
	defer patient.Close()
	status, err := job.Status(ctx)
	if err != nil {
		return l.wrong(err)
	}
	return v.attach(ctx, patient, job.ID, attachment{json: v.output.json(), tasks: status.NumTasks})
}

// attachment is how to follow a job.
type attachment struct {
	json  bool
	tasks int32 // that the job has
	fresh bool  // it was launched by this very command
}

// attach follows a job to its end and says how it ended. The error is a jobError unless it SUCCEEDED.
func (a *app) attach(ctx context.Context, l *link, id string, how attachment) error {
	job, m := l.Job(id), a.newMonitor(how.json, how.tasks)
	m.showStates()
	l.tell(m.note)
	if how.fresh {
		m.note(fmt.Sprintf("job %s is launched", id))
	}
	end, err := follow.Job(ctx, job, m, follow.Options{Logs: true, LastAttempt: !how.fresh})
	m.close()
	switch {
	case ctx.Err() != nil:
		m.note(fmt.Sprintf("job %s goes on without you", id))
		m.hint(fmt.Sprintf("iris job attach%s %s", a.where(l), id), "follow it again")
		m.hint(fmt.Sprintf("iris job stop%s %s", a.where(l), id), "end it")
		return silent{errInterrupted}
	case err != nil:
		return a.lostSight(err, l, id)
	}
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	return a.report(ctx, m, job, end)
}

// reportLimit bounds what is looked up when a job is over.
const reportLimit = 15 * time.Second

// lostSight says that nobody tells how a job is.
func (a *app) lostSight(err error, l *link, id string) error {
	if s := refused(err); s != nil && s.Code() == codes.NotFound {
		return fmt.Errorf("the controller does not know job %s any more: it was started without its state, or the job was over for so "+
			"long that it was forgotten", id)
	}
	return fmt.Errorf("%w\njob %s may be running: `iris job attach%s %s` follows it again", l.wrong(err), id, a.where(l), id)
}

// silent is an error about which all is said.
type silent struct{ error }

func (s silent) Unwrap() error { return s.error }

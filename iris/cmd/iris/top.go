package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/view"
)

// top is `iris top`.
type top struct {
	*app
	link   linkFlags
	output outputFlag
	once   bool
}

func newTop(a *app) *cobra.Command {
	v := &top{app: a}
	c := &cobra.Command{
		Use:   "top",
		Short: "Show how the cluster is, over and over",
		Long: `Show how the cluster is: who leads, how full the workers are and when they were last heard of, which scale groups grow or
cannot, which jobs run and why others wait. Trouble comes first. What does not fit on the screen is left out, and it says how much.

It looks every two seconds, less often at a cluster that is slow to answer; q or Ctrl-C ends it. Without a terminal, or with
--once or --output json, it looks once and writes all there is.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return v.run(c.Context()) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	settings.Var(c.Flags(), &v.once, "once", "look once, and write all there is", settings.Bool())
	return c
}

const (
	lookEvery = 2 * time.Second // at most
	lookShare = 20              // a look that takes long is followed by a pause so many times as long
	lookLimit = 5 * time.Second // of one while others follow
	topJobs   = 1000            // that are asked for
)

func (v *top) run(ctx context.Context) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	first, err := v.look(ctx, l)
	if err != nil {
		return l.wrong(err)
	}
	t := v.terminal(v.out)
	switch {
	case v.output.json():
		return first.JSON(v.out)
	case v.once || !t.Live:
		for _, line := range view.Top(t, 0, v.now(), first) {
			fmt.Fprintln(v.out, line)
		}
		return nil
	}
	return v.onStage(ctx, func(ctx context.Context, s *stage) error {
		w := &watching{top: v, stage: s, link: l, last: first, looked: v.now()}
		l.tell(w.note)
		return w.run(ctx)
	})
}

// look asks for all that is shown. What the user may not see, or the controller does not have, is missing.
func (v *top) look(ctx context.Context, l *link) (s view.Snapshot, err error) {
	if s.Workers, err = l.Workers(ctx); err != nil {
		return s, err
	}
	page, err := l.FirstJobs(ctx, topJobs, pb.JobState_JOB_STATE_PENDING, pb.JobState_JOB_STATE_BUILDING, pb.JobState_JOB_STATE_RUNNING)
	if err != nil {
		return s, err
	}
	s.Jobs, s.MoreJobs = page.Jobs, page.NextPageToken != ""
	missing := func(what string, err error) error {
		if r := refused(err); r == nil || r.Code() != codes.PermissionDenied && r.Code() != codes.Unimplemented {
			return err
		}
		s.Missing = append(s.Missing, what+" are not shown: "+words(l.wrong(err)))
		return nil
	}
	if s.Controllers, err = l.Controllers(ctx); err != nil {
		if err := missing("controllers", err); err != nil {
			return s, err
		}
	}
	fleet, err := l.Fleet(ctx)
	if err != nil {
		return s, missing("scale groups", err)
	}
	s.Fleet = fleet
	return s, nil
}

// watching is a cluster that is shown over and over.
type watching struct {
	*top
	stage   *stage
	link    *link
	last    view.Snapshot
	looked  time.Time
	trouble string // why there is no newer look
}

// run shows the last look and takes another, until ctx ends, which is how it is meant to end.
func (w *watching) run(ctx context.Context) error {
	for pause := lookEvery; ; {
		if err := w.stage.show(ctx, pause, w.lines); err != nil || ctx.Err() != nil {
			return err
		}
		began := w.now()
		limited, cancel := context.WithTimeout(ctx, lookLimit)
		s, err := w.look(limited, w.link)
		cancel()
		if err != nil {
			w.trouble = words(wrong(err, w.link.addresses, lookLimit))
		} else {
			w.last, w.looked, w.trouble = s, w.now(), ""
		}
		pause = max(lookEvery, lookShare*w.now().Sub(began))
		if err != nil {
			pause = lookEvery
		}
	}
}

// lines are what is shown now. A look that is old says so.
func (w *watching) lines(t view.Terminal, rows int) []string {
	s := w.last
	if w.trouble != "" {
		s.Missing = append([]string{fmt.Sprintf("as it was %s ago: %s", view.Duration(w.now().Sub(w.looked)), w.trouble)}, s.Missing...)
	}
	return view.Top(t, rows, w.now(), s)
}

// note is told that no controller answers, while a look is under way.
func (w *watching) note(text string) {
	w.trouble = strings.TrimPrefix(text, "iris: ")
	_ = w.stage.draw(w.lines) // what is wrong with the terminal shows when the look is over
}

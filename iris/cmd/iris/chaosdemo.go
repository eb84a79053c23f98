package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/view"
)

// chaosDemo is `iris chaos demo`: a cluster in this process, which is broken on purpose.
type chaosDemo struct {
	*app
	seed int
}

func newChaosDemo(a *app) *cobra.Command {
	v := &chaosDemo{app: a, seed: 1}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Break a cluster of its own in five ways, and show that its jobs succeed",
		Long: `Start a cluster in this process, break it in five ways one after the other, and tell each time what was injected, what the
cluster believed and did, and why the job held. Nothing else is touched, and nothing is left. It takes about half a minute.

The exit code is 0 only if everything held each time: the job succeeded, with exactly the attempts that it should take, the fault
struck, and the controller's books are right.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return v.run(c.Context()) },
	}
	settings.Var(c.Flags(), &v.seed, "seed", "decides whom each fault hits: the same seed, the same story", settings.Count(0, 1<<30))
	return c
}

const (
	demoLimit = 50 * time.Second       // for all acts
	demoPause = 900 * time.Millisecond // after each line, for those who read along on a terminal
)

// demoCluster is the cluster of the demo.
//
//go:embed demo.yaml
var demoCluster []byte

func (v *chaosDemo) run(ctx context.Context) (err error) {
	description, err := config.Parse("demo.yaml", demoCluster)
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler) // the story says what goes wrong
	m, err := cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{Durable: true, Restart: 500 * time.Millisecond, Log: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop()) }()
	c, err := m.Connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	d := &demo{app: v.app, terminal: v.terminal(v.out), cluster: m, client: c, rules: chaos.In(m.Name),
		dice: rand.New(rand.NewPCG(uint64(v.seed), 0)), acts: demoActs}
	defer d.rules.Reset()
	limited, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	if err := m.Ready(limited); err != nil {
		return interrupted(ctx, err)
	}
	fmt.Fprintln(v.out, view.Paragraph(d.terminal, "", fmt.Sprintf(
		"A cluster in this process: a controller with its log on disk, three workers, and machines that can be had. It is broken in "+
			"%d ways (seed %d).", len(d.acts), v.seed)))
	return interrupted(ctx, d.play(limited))
}

// interrupted is what became of something that a user may have ended with Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// demo is a cluster that is being broken.
type demo struct {
	*app
	terminal view.Terminal
	cluster  *cluster.Manager
	client   *client.Client
	rules    chaos.Scope
	dice     *rand.Rand
	acts     []act
}

// act breaks the cluster in one way, and says what came of it. The error is what did not hold.
type act struct {
	title string
	run   func(context.Context, *demo) (view.Act, error)
}

// play plays all acts and sums them up.
func (d *demo) play(ctx context.Context) error {
	var played []view.Act
	wrong := 0
	for i, a := range d.acts {
		fmt.Fprintln(d.out)
		fmt.Fprint(d.out, view.Told(d.terminal, fmt.Sprintf("%d of %d", i+1, len(d.acts)), a.title))
		began := d.now()
		became, err := a.run(ctx, d)
		if err == nil {
			err = d.check(ctx)
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return ctx.Err()
		case err != nil:
			wrong++
			became.Wrong = words(err)
			d.say(ctx, "broke", became.Wrong)
			d.clear(ctx)
		}
		became.Title, became.Took = a.title, d.now().Sub(began)
		played = append(played, became)
		d.rules.Reset()
	}
	fmt.Fprintln(d.out)
	if err := view.Acts(d.out, d.terminal, played); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d did not hold", wrong, len(d.acts))
	}
	fmt.Fprintln(d.out)
	fmt.Fprintln(d.out, view.Paragraph(d.terminal, "", "All of them held. Break something yourself: `iris cluster start --local`, and `iris chaos --help`."))
	return nil
}

// clear ends what an act that did not hold has left to run: the next ones want the room.
func (d *demo) clear(ctx context.Context) {
	jobs, err := d.client.Jobs(ctx, "")
	for _, j := range jobs {
		if !j.State.Over() {
			err = errors.Join(err, d.client.Job(j.JobId).Terminate(ctx))
		}
	}
	if err != nil {
		d.say(ctx, "broke", words(err))
	}
}

// say tells a line of the story, and leaves time to read it if somebody does.
func (d *demo) say(ctx context.Context, word, text string) {
	fmt.Fprint(d.out, view.Told(d.terminal, word, text))
	if !d.terminal.Live {
		return
	}
	select {
	case <-time.After(demoPause):
	case <-ctx.Done():
	}
}

// until looks until something is so.
func (d *demo) until(ctx context.Context, what string, so func() (bool, error)) error {
	for {
		yes, err := so()
		switch {
		case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			return fmt.Errorf("%s: it takes longer than %v", what, demoLimit)
		case err != nil || yes:
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// check has the controller verify its books.
func (d *demo) check(ctx context.Context) error {
	out, err := pb.NewClusterServiceClient(d.client.Conn()).CheckInvariants(ctx, &pb.CheckInvariantsRequest{})
	if err == nil && out.Violations != "" {
		err = fmt.Errorf("the controller's books are wrong: %s", out.Violations)
	}
	return err
}

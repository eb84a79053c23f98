// Command fault makes the first container of a job fail and prints what became of the job. Run it from the repository's
// root.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	description, err := config.Load("examples/demo.yaml")
	if err != nil {
		return err
	}
	manager, err := cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, manager.Stop()) }()
	if err := manager.Ready(ctx); err != nil { // all workers have registered
		return err
	}
	c, err := manager.Connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()

	faults := chaos.In(manager.Name) // rules that only this cluster sees
	defer faults.Reset()
	rule, err := faults.Enable("worker.create_container", chaos.Match("job", "fault"), chaos.MaxFailures(1),
		chaos.Err(errors.New("no container today")))
	if err != nil {
		return err
	}

	job, err := c.Submit(ctx, client.Spec{
		Name: "fault", Entrypoint: client.Command("true"), MaxRetriesFailure: client.Limit(1),
	})
	if err != nil {
		return err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return err
	}

	fmt.Println(status.Name, status.State)
	for _, attempt := range tasks[0].Attempts {
		fmt.Println(" attempt", attempt.AttemptId, "on", attempt.WorkerId, attempt.State, attempt.Error)
	}
	fmt.Printf("%v: %+v\n", rule, rule.Counts())
	return faults.Verify() // an error if the fault never happened
}

// Command hello boots the demo cluster in this process, runs one job on it and prints what the job wrote.
// Run it from the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

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

	job, err := c.Submit(ctx, client.Spec{
		Name:       "hello",
		Entrypoint: client.Command("sh", "-c", "echo hello from $IRIS_WORKER_ID"),
	})
	if err != nil {
		return err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println(status.Name, status.State, status.Error)
	lines, err := job.Logs(ctx, 0)
	for _, line := range lines {
		fmt.Println(line.Stream, line.Text)
	}
	return err
}

package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/view"
)

// workerList is `iris worker list`.
type workerList struct {
	*app
	link   linkFlags
	output outputFlag
}

func newWorkerList(a *app) *cobra.Command {
	v := &workerList{app: a}
	c := &cobra.Command{
		Use:     "list [ID…]",
		Aliases: []string{"ls"},
		Short:   "List workers",
		Args:    arguments(0, -1, ""),
		RunE:    func(c *cobra.Command, args []string) error { return v.run(c.Context(), args) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputWide, outputJSON)
	c.ValidArgsFunction = a.completeWorkers(&v.link)
	return c
}

func (v *workerList) run(ctx context.Context, ids []string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	workers, err := l.Workers(ctx)
	if err != nil {
		return l.wrong(err)
	}
	if workers, err = only(workers, ids); err != nil {
		return err
	}
	return v.write(&v.output, &pb.ListWorkersResponse{Workers: workers}, func(t view.Terminal) error {
		return view.Workers(v.out, t, v.output.wide(), v.now(), workers)
	})
}

// only picks workers by id; no ids: all.
func only(workers []*pb.WorkerStatus, ids []string) ([]*pb.WorkerStatus, error) {
	if len(ids) == 0 {
		return workers, nil
	}
	var picked []*pb.WorkerStatus
	for _, id := range ids {
		i := slices.IndexFunc(workers, func(w *pb.WorkerStatus) bool { return w.WorkerId == id })
		if i < 0 {
			return nil, unknown("worker", id, "iris worker list")
		}
		picked = append(picked, workers[i])
	}
	return picked, nil
}

package real

import (
	"context"
	"fmt"
	"sync"

	"iris/acceptance/swarm/story"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// probe demands that each worker that is there for good runs a job at once, with nothing in its way: to be live is not enough.
// Whatever else waits, waits for what there is not.
func (t *teller) probe() {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	var all sync.WaitGroup
	for i := range t.Cluster.Workers {
		all.Go(func() {
			id := fmt.Sprintf("w-%d", i)
			if err := t.probed(ctx, id); err != nil {
				t.wrong(ByHeal, "%s is live, and does not work: %v\n%s", id, err, t.describe(context.Background()))
			}
		})
	}
	all.Wait()
}

func (t *teller) probed(ctx context.Context, worker string) error {
	job, err := t.clients[0].Submit(ctx, client.Spec{
		ID: "probe-" + worker, Name: "probe-" + worker, Entrypoint: client.Function(story.Payload, "1s", "0", ""),
		Constraints: []*pb.Constraint{{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: worker}},
	})
	if err != nil {
		return err
	}
	s, err := job.Wait(ctx)
	if err == nil && s.State != pb.JobState_JOB_STATE_SUCCEEDED {
		err = fmt.Errorf("a job for it is %v: %s", s.State, s.Error)
	}
	return err
}

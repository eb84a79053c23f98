package controller

import (
	"context"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"iris/iris/network"
	pb "iris/iris/proto"
)

const (
	healthInterval = 5 * time.Second  // between two looks at the loop
	healthPatience = 10 * time.Second // how long the loop may take to answer
)

// watch keeps the health service true. The process as a whole ("") is NOT_SERVING while the loop does not answer, which
// includes a log that commits nothing; the ControllerService is SERVING only where it leads, which is where a balancer
// should send clients that cannot follow by themselves.
func (c *Controller) watch() {
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	stuck := false
	for {
		leads, answers := c.probe()
		c.health.SetServingStatus("", network.Serving(answers))
		c.health.SetServingStatus(pb.ControllerService_ServiceDesc.ServiceName, network.Serving(leads && answers))
		if stuck == answers {
			if stuck = !answers; stuck {
				c.config.Log.Error("the controller's loop does not answer; health is NOT_SERVING",
					"controller", c.config.ID, "for", healthPatience)
			} else {
				c.config.Log.Info("the controller's loop answers again", "controller", c.config.ID)
			}
		}
		l, changed, _ := c.seat.look()
		if l != nil {
			changed = nil // it was closed when this one took the seat
		}
		select {
		case <-ticker.C:
		case <-changed:
		case <-c.failed:
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// probe asks the loop, if there is one, for an answer.
func (c *Controller) probe() (leads, answers bool) {
	if !c.Leads() {
		return false, true
	}
	ctx, cancel := context.WithTimeout(c.ctx, healthPatience)
	defer cancel()
	_, err := ask(ctx, c.seat, nil, func(*loop, []error) bool { return true })
	return err == nil, ctx.Err() == nil || c.ctx.Err() != nil
}

// Healthy reports whether the controller goes on: what the health service says of the process as a whole.
func (c *Controller) Healthy() bool {
	out, err := c.health.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	return err == nil && out.Status == grpc_health_v1.HealthCheckResponse_SERVING
}

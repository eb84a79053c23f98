package controller_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"iris/iris/controller"
	pb "iris/iris/proto"
)

// A loop that is stuck shows (FM-31): whoever watches over the process can restart it.
func TestHealthFollowsTheLoop(t *testing.T) {
	slow := newSlowJournal()
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		health := grpc_health_v1.NewHealthClient(b.conn)
		want := func(when string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
			b.Helper()
			synctest.Wait()
			for _, service := range []string{"", pb.ControllerService_ServiceDesc.ServiceName} {
				got, err := health.Check(b.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
				if err != nil || got.Status != want {
					b.Errorf("%s %q is %v (%v), want %v", when, service, got.GetStatus(), err, want)
				}
			}
		}
		time.Sleep(5 * time.Second)
		want("at first", grpc_health_v1.HealthCheckResponse_SERVING)
		slow.pause = time.Minute
		wait := b.launchMeanwhile("j")
		time.Sleep(15 * time.Second)
		want("while the loop is held up", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		wait()
		time.Sleep(5 * time.Second)
		want("afterwards", grpc_health_v1.HealthCheckResponse_SERVING)
	})
}

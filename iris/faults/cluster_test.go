package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"iris/chaos"
	"iris/iris/controller"
	"iris/iris/faults"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/worker"
)

// A real controller and two real workers in one process: a rule from outside loses a worker, and a Reset heals it.
func TestARuleFromOutsideLosesAWorkerAndResetHealsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(chaos.In(t.Name()).Reset)
		n, log := new(network.Memory), slog.New(slog.DiscardHandler)
		conn, err := network.Client(n, "controller")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		users := pb.NewControllerServiceClient(conn)
		workers := func(ctx context.Context) (map[string]string, error) {
			answer, err := users.ListWorkers(ctx, &pb.ListWorkersRequest{})
			addresses := map[string]string{}
			for _, w := range answer.GetWorkers() { // lost ones included
				addresses[w.WorkerId] = w.Address
			}
			return addresses, err
		}
		directory := faults.NewDirectory(workers, func(_, address string) (*grpc.ClientConn, error) {
			return network.Client(n, address)
		})
		t.Cleanup(func() { _ = directory.Close() })
		serves := func(peers func(context.Context) ([]faults.Process, error), names ...string) []func(grpc.ServiceRegistrar) {
			return []func(grpc.ServiceRegistrar){func(s grpc.ServiceRegistrar) {
				faults.Register(s, faults.Config{Cluster: t.Name(), Names: names, Peers: peers, Log: log})
			}}
		}
		c, err := controller.Start(controller.Config{
			Cluster: t.Name(), Network: n, Address: "controller", Log: log, Services: serves(directory.Processes, "c-0", "controller"),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { equal(t, "error of the controller's Stop", c.Stop(), nil) })
		for _, id := range []string{"w-0", "w-1"} {
			w, err := worker.Start(worker.Config{
				Cluster: t.Name(), ID: id, Controller: "controller", Network: n, Log: log, WorkDir: t.TempDir(),
				Capacity: state.Resources{CPUMillis: 1000}, Services: serves(nil, id),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { equal(t, "error of the worker's Stop", w.Stop(), nil) })
			<-w.Registered()
		}
		states := func() (all string) {
			answer, err := users.ListWorkers(t.Context(), &pb.ListWorkersRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range answer.Workers {
				all += fmt.Sprintf("%s %v ", w.WorkerId, w.State)
			}
			return all
		}

		client := faults.Connect(conn)
		reports, err := client.EnableAs(t.Context(), "x", "worker.heartbeat[worker=w-0]")
		equal(t, "answer, of one process", told(reports, err), "c-0+w-0+w-1 x(0/0/0)")
		r := read(t, client.Watch, "w-0")
		r.expect("w-0 began")
		time.Sleep(15 * time.Second)
		r.expect("w-0 fired x at w-0#1")
		time.Sleep(75 * time.Second)
		equal(t, "workers", states(), "w-0 WORKER_STATE_LOST w-1 WORKER_STATE_LIVE ")
		if _, err = client.Reset(t.Context(), "w-0"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		equal(t, "workers after Reset", states(), "w-0 WORKER_STATE_LIVE w-1 WORKER_STATE_LIVE ")
	})
}

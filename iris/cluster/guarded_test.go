package cluster_test

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"iris/iris/auth"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// secrets are certificates for everybody in a cluster on an in-memory network. The workers have one each.
func secrets(t *testing.T) string {
	t.Helper()
	dir, options := filepath.Join(t.TempDir(), "secrets"), auth.Options{Workers: []string{"w-0", "w-1"}}
	for i := range 9 {
		options.Hosts = append(options.Hosts, fmt.Sprintf("memory-%d", i))
	}
	if _, err := auth.Init(dir, options); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The same cluster as everywhere, and nobody without a certificate: controllers replicate, lose their leader, run a task
// with a workspace, and read its log.
func TestAClusterWithCredentialsWorks(t *testing.T) {
	workspace := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		m, err := cluster.Start(local(t, "c"), cluster.Options{
			Network: &network.Memory{}, Functions: functions(), Controllers: 3, Secrets: secrets(t), Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Stop(); err != nil {
				t.Error(err)
			}
		}()
		if err := m.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		c, err := m.Connect()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }() // everything is answered
		job, err := c.Submit(t.Context(), client.Spec{Name: "job", Entrypoint: client.Function("sleep", "1m"), Workspace: workspace})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := m.Kill(m.Leader()); err != nil {
			t.Fatal(err)
		}
		wantOneAttempt(t, job)
		if _, err := job.Logs(t.Context(), 0); err != nil {
			t.Error(err)
		}
		if strings.Contains(log.String(), "call refused") {
			t.Errorf("somebody was refused:\n%s", log)
		}
	})
}

// Certificates that were forgotten stop a cluster. New ones start it again, without a restart of anything.
func TestAClusterWhoseCertificatesWereForgottenRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := secrets(t)
		renew := func(valid time.Duration) {
			hosts := []string{"memory-1", "memory-2", "memory-3"}
			for _, r := range []auth.Request{
				{Role: auth.Controller, Hosts: hosts}, {Role: auth.Worker, Name: "w-0"}, {Role: auth.Worker, Name: "w-1"}, {Role: auth.Admin},
			} {
				r.Valid, r.Replace = valid, true
				if _, err := auth.Issue(dir, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		renew(10 * time.Minute)
		_, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Secrets: dir})
		wantOneAttempt(t, submitted(t, c, "before", "1m"))
		time.Sleep(5 * time.Minute)
		renew(10 * time.Minute) // in time
		time.Sleep(4 * time.Minute)
		wantOneAttempt(t, submitted(t, c, "between", "1s"))
		time.Sleep(30 * time.Minute)
		if _, err := c.Workers(t.Context()); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with certificates that have expired: %v", err)
		}
		renew(time.Hour)
		time.Sleep(30 * time.Second)
		workers, err := c.Workers(t.Context())
		if err != nil || len(workers) != 2 {
			t.Fatalf("with new certificates: %v, %v", workers, err)
		}
		for _, w := range workers {
			if w.State != pb.WorkerState_WORKER_STATE_LIVE {
				t.Errorf("worker %s is %v", w.WorkerId, w.State)
			}
		}
		wantOneAttempt(t, submitted(t, c, "after", "1s"))
	})
}

// Who may do what in a real cluster, over TCP: the same port serves all, and most is refused.
func TestAClusterWithCredentialsRefusesOthers(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "secrets"), filepath.Join(t.TempDir(), "other")
	for _, d := range []string{dir, other} {
		if _, err := auth.Init(d, auth.Options{Workers: []string{"w-0", "w-1"}}); err != nil {
			t.Fatal(err)
		}
	}
	m, admin := booted(t, local(t, "c"), cluster.Options{Functions: functions(), Secrets: dir})
	workers, err := admin.Workers(t.Context())
	if err != nil || len(workers) != 2 {
		t.Fatal(workers, err)
	}
	for _, w := range workers {
		if host, _, err := net.SplitHostPort(w.Address); err != nil || host != "127.0.0.1" {
			t.Errorf("worker %s is at %s", w.WorkerId, w.Address)
		}
	}
	foreign := auth.In(dir, auth.Admin, "")
	foreign.Cert, foreign.Key = auth.In(other, auth.Admin, "").Cert, auth.In(other, auth.Admin, "").Key
	for name, c := range map[string]struct {
		auth.Config
		launch, register, run codes.Code
	}{
		"nobody":                 {auth.Config{CA: foreign.CA}, codes.Unauthenticated, codes.Unauthenticated, codes.Unauthenticated},
		"another cluster's":      {foreign, codes.Unauthenticated, codes.Unauthenticated, codes.Unauthenticated},
		"a user":                 {auth.In(dir, auth.User, ""), codes.InvalidArgument, codes.PermissionDenied, codes.PermissionDenied},
		"an administrator":       {auth.In(dir, auth.Admin, ""), codes.InvalidArgument, codes.InvalidArgument, codes.PermissionDenied},
		"the worker itself":      {auth.In(dir, auth.Worker, "w-0"), codes.PermissionDenied, codes.InvalidArgument, codes.PermissionDenied},
		"another worker":         {auth.In(dir, auth.Worker, "w-1"), codes.PermissionDenied, codes.PermissionDenied, codes.PermissionDenied},
		"a controller of theirs": {auth.In(dir, auth.Controller, ""), codes.InvalidArgument, codes.PermissionDenied, codes.FailedPrecondition},
	} {
		controller, worker := connected(t, c.Config, m.Address()), connected(t, c.Config, workers[0].Address)
		_, err := pb.NewControllerServiceClient(controller).LaunchJob(t.Context(), &pb.LaunchJobRequest{})
		wantCode(t, name+" launches a job", err, c.launch)
		_, err = pb.NewRegistryServiceClient(controller).Register(t.Context(), &pb.RegisterRequest{WorkerId: "w-0"}) // without an incarnation
		wantCode(t, name+" registers as w-0", err, c.register)
		_, err = pb.NewWorkerServiceClient(worker).RunTask(t.Context(), &pb.RunTaskRequest{WorkerId: "w-0", Incarnation: "old"})
		wantCode(t, name+" orders w-0 about", err, c.run)
		_, err = grpc_health_v1.NewHealthClient(worker).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if (err == nil) != (c.run != codes.Unauthenticated) {
			t.Errorf("%s asks how w-0 is: %v", name, err)
		}
	}
}

func connected(t *testing.T, c auth.Config, address string) *grpc.ClientConn {
	t.Helper()
	options, err := auth.Dial(c, auth.Controller, auth.Worker)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := network.Client(network.TCP{}, address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

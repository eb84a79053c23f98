package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iris/acceptance/daemon"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// binary is the iris command that the daemons of this run are.
var binary string

// buildBinary declares that it is built before the first spec, once for all processes that run specs.
func buildBinary() {
	ginkgo.SynchronizedBeforeSuite(func(ctx ginkgo.SpecContext) []byte {
		dir, err := os.MkdirTemp("", "iris-suite-")
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		ginkgo.DeferCleanup(os.RemoveAll, dir) // when all processes are done
		path, err := daemon.Build(ctx, root(), dir)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		return []byte(path)
	}, func(path []byte) { binary = string(path) })
}

// daemons is a cluster of real daemons.
type daemons struct {
	plan   plan
	fleet  *daemon.Fleet
	faults *remoteFaults
	client *client.Client // for what is no user's business
}

func newDaemons(p plan) system {
	ginkgo.GinkgoHelper()
	fleet, err := daemon.NewFleet(daemon.Config{
		Binary: binary, Cluster: p.Cluster, Controllers: p.controllers, Share: ginkgo.GinkgoParallelProcess(), Log: ginkgo.GinkgoWriter,
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return &daemons{plan: p, fleet: fleet, faults: newRemoteFaults(p, fleet)}
}

func (s *daemons) Faults() Faults { return s.faults }

// bootPatience is how long the daemons may take to serve.
const bootPatience = time.Minute

func (s *daemons) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), bootPatience)
	defer cancel()
	err := s.faults.begin(func() error { return s.fleet.Start(ctx) })
	if err == nil {
		s.client, err = s.Connect()
	}
	if err != nil {
		return errors.Join(err, s.fleet.Stop())
	}
	return nil
}

func (s *daemons) Address() string { return s.fleet.Addresses() }

func (s *daemons) Connect() (*client.Client, error) { return client.Connect(s.Address()) }

func (s *daemons) Ready(ctx context.Context) error { return s.fleet.Ready(ctx) }

func (s *daemons) Check(ctx context.Context) error {
	out, err := s.operate().CheckInvariants(ctx, &pb.CheckInvariantsRequest{})
	if err != nil {
		return fmt.Errorf("check the invariants: %w", err)
	}
	if out.Violations != "" {
		return errors.New(out.Violations)
	}
	return nil
}

func (s *daemons) Describe(ctx context.Context, since time.Time) (string, error) {
	out, err := s.operate().Describe(ctx, &pb.DescribeRequest{Since: timestamppb.New(since)})
	return out.GetText(), err
}

func (s *daemons) Controllers() []string {
	var ids []string
	for _, d := range s.fleet.Controllers {
		ids = append(ids, d.Name)
	}
	return ids
}

func (s *daemons) Leader() string {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	all, err := s.operate().ListControllers(ctx, &pb.ListControllersRequest{})
	if err != nil {
		return ""
	}
	for _, c := range all.Controllers {
		if c.Leads {
			return c.ControllerId
		}
	}
	return ""
}

func (s *daemons) Kill(id string) error { return s.fleet.Daemon(id).Kill() }

func (s *daemons) Revive(id string) error { return s.fleet.Daemon(id).Start() }

func (s *daemons) operate() pb.ClusterServiceClient {
	return pb.NewClusterServiceClient(s.client.Conn())
}

func (s *daemons) Alive(job string) int { return tasks(s.Address(), job) }

func (s *daemons) Stop() error {
	return errors.Join(s.faults.end(), s.client.Close(), s.fleet.Stop())
}

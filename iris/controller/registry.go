package controller

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/bundle"
	"iris/iris/leader"
	"iris/iris/peers"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// registryService is what workers call.
type registryService struct {
	pb.UnimplementedRegistryServiceServer
	seat    *seat
	bundles *peers.Bundles
	log     *slog.Logger
}

// Register makes a worker known.
func (s *registryService) Register(ctx context.Context, in *pb.RegisterRequest) (*pb.RegisterResponse, error) {
	if in.WorkerId == "" || in.Incarnation == "" || in.Address == "" {
		return nil, status.Error(codes.InvalidArgument, "register needs worker_id, incarnation and address")
	}
	capacity := state.ResourcesOf(in.Capacity)
	if capacity.CPUMillis < 0 || capacity.MemoryBytes < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "worker %s has a negative capacity", in.WorkerId)
	}
	reports := readReports(in.Attempts)
	command := state.RegisterWorker{
		ID: in.WorkerId, Incarnation: in.Incarnation, Address: in.Address, Capacity: capacity,
		Attributes: in.Attributes, Reports: reports,
	}
	type result struct {
		out *pb.RegisterResponse
		err error
	}
	r, err := ask(ctx, s.seat,
		func(l *leader.Leader) []state.Command { return l.Register(command, in.Draining) },
		func(l *loop, errs []error) result {
			if errs[0] != nil {
				return result{err: wire(errs[0])}
			}
			c := l.leader.Cluster()
			l.platforms.came(c.Worker(in.WorkerId))
			out := &pb.RegisterResponse{Lease: durationpb.New(l.config.WorkerTimeout), TimesLost: int32(c.Worker(in.WorkerId).TimesLost)}
			out.Ack, out.Stop = c.Answer(in.WorkerId, in.Incarnation, reports)
			return result{out: out}
		})
	if err != nil {
		return nil, err
	}
	if r.err == nil {
		s.log.Info("worker registered", "worker", in.WorkerId, "address", in.Address, "capacity", capacity.String())
	}
	return r.out, r.err
}

// Heartbeat keeps a worker alive and reconciles what it runs.
func (s *registryService) Heartbeat(ctx context.Context, in *pb.HeartbeatRequest) (*pb.HeartbeatResponse, error) {
	reports := readReports(in.Attempts)
	out, err := s.observe(ctx, in.WorkerId, in.Incarnation, reports, func(l *leader.Leader) []state.Command {
		return l.Heartbeat(time.Now(), in.WorkerId, in.Incarnation, in.Draining, reports)
	})
	if err != nil {
		return nil, err
	}
	return &pb.HeartbeatResponse{Ack: out.ack, Stop: out.stop, RegisterAgain: !out.known}, nil
}

// ReportTaskState is the fast path; it does not count as a sign of life.
func (s *registryService) ReportTaskState(ctx context.Context, in *pb.ReportTaskStateRequest) (*pb.ReportTaskStateResponse, error) {
	reports := readReports(in.Attempts)
	out, err := s.observe(ctx, in.WorkerId, in.Incarnation, reports, func(l *leader.Leader) []state.Command {
		return l.Observe(in.WorkerId, in.Incarnation, reports)
	})
	if err != nil {
		return nil, err
	}
	if !out.known {
		return nil, status.Errorf(codes.FailedPrecondition, "worker %s is not registered, or counts as lost; its next heartbeat says so",
			in.WorkerId)
	}
	return &pb.ReportTaskStateResponse{Ack: out.ack, Stop: out.stop}, nil
}

// observed is what a worker is told about its reports.
type observed struct {
	ack, stop []string
	known     bool
}

// observe takes note of reports and answers them.
func (s *registryService) observe(ctx context.Context, worker, incarnation string, reports []state.Report,
	decide leader.Ask) (out observed, err error) {
	return ask(ctx, s.seat, decide, func(l *loop, _ []error) (out observed) {
		out.ack, out.stop, out.known = l.leader.Answer(worker, incarnation, reports)
		return out
	})
}

// maxErrorBytes is how much of an error text is kept: it is in the log, and in every answer about the job.
const maxErrorBytes = 4 << 10

func clipped(text string) string {
	if len(text) <= maxErrorBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorBytes], "") + "…"
}

func readReports(in []*pb.AttemptReport) []state.Report {
	reports := make([]state.Report, 0, len(in))
	for _, r := range in {
		switch s := state.State(r.State); s {
		case state.Building, state.Running, state.Succeeded, state.Failed, state.Killed:
			reports = append(reports, state.Report{UID: r.AttemptUid, State: s, Error: clipped(r.Error), ExitCode: r.ExitCode, Ports: r.Ports})
		}
	}
	return reports
}

// DownloadBundle streams a stored workspace. Any controller may be asked.
func (s *registryService) DownloadBundle(in *pb.DownloadBundleRequest, stream pb.RegistryService_DownloadBundleServer) error {
	if s.bundles == nil {
		return status.Errorf(codes.NotFound, "bundle %s: this controller stores no bundles", in.Sha256)
	}
	return peers.Send(in.Sha256, stream, func(hash bundle.Hash) (io.ReadCloser, int64, error) {
		return s.bundles.Open(stream.Context(), hash)
	})
}

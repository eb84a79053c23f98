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
		decided(command),
		func(l *loop, errs []error) result {
			if errs[0] != nil {
				return result{err: wire(errs[0])}
			}
			l.replan = l.liveness.hear(in.WorkerId, time.Now(), in.Draining) || l.replan
			l.scaling.came(l.cluster.Worker(in.WorkerId))
			out := &pb.RegisterResponse{Lease: durationpb.New(l.config.WorkerTimeout)}
			out.Ack, out.Stop = l.cluster.Answer(in.WorkerId, in.Incarnation, reports)
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
	out, known, err := s.observe(ctx, in.WorkerId, in.Incarnation, in.Attempts, in)
	if err != nil {
		return nil, err
	}
	return &pb.HeartbeatResponse{Ack: out.Ack, Stop: out.Stop, RegisterAgain: !known}, nil
}

// ReportTaskState is the fast path; it does not count as a sign of life.
func (s *registryService) ReportTaskState(ctx context.Context, in *pb.ReportTaskStateRequest) (*pb.ReportTaskStateResponse, error) {
	out, known, err := s.observe(ctx, in.WorkerId, in.Incarnation, in.Attempts, nil)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, status.Errorf(codes.FailedPrecondition, "worker %s is not registered, or counts as lost; its next heartbeat says so",
			in.WorkerId)
	}
	return out, nil
}

// observe takes note of reports, and of a heartbeat, if they are one's. It logs nothing when they are no news, which is most
// of the time.
func (s *registryService) observe(ctx context.Context, worker, incarnation string, attempts []*pb.AttemptReport,
	beat *pb.HeartbeatRequest) (*pb.ReportTaskStateResponse, bool, error) {
	reports := readReports(attempts)
	out, err := ask(ctx, s.seat,
		func(l *loop) []state.Command {
			c := l.cluster
			if w := c.Worker(worker); beat != nil && w != nil && w.Incarnation == incarnation && !w.Lost {
				l.replan = l.liveness.hear(worker, time.Now(), beat.Draining) || l.replan
			}
			if news := c.News(worker, incarnation, reports); len(news) > 0 {
				return []state.Command{state.Observe{Worker: worker, Incarnation: incarnation, Reports: news}}
			}
			return nil
		},
		func(l *loop, _ []error) *pb.ReportTaskStateResponse {
			c := l.cluster
			if w := c.Worker(worker); w == nil || w.Lost || w.Incarnation != incarnation {
				return nil
			}
			out := &pb.ReportTaskStateResponse{}
			out.Ack, out.Stop = c.Answer(worker, incarnation, reports)
			return out
		})
	if out == nil {
		return &pb.ReportTaskStateResponse{}, false, err
	}
	return out, true, err
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

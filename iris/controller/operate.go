package controller

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/journal"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// clusterService is what operators call.
type clusterService struct {
	pb.UnimplementedClusterServiceServer
	controller *Controller
}

// voters is a journal that several controllers may share.
type voters interface {
	Voters() ([]journal.Voter, error)
	AddVoter(ctx context.Context, id, address string) error
	RemoveVoter(ctx context.Context, id string) error
	Transfer(ctx context.Context, id string) error
}

// voters are those of the journal, if this controller leads.
func (s *clusterService) voters(ctx context.Context) (voters, error) {
	if _, err := s.controller.seat.current(ctx); err != nil {
		return nil, err
	}
	v, shared := s.controller.config.Journal.(voters)
	if !shared {
		return nil, status.Error(codes.FailedPrecondition,
			"this controller keeps its log in memory and is alone; start it with a data directory to have others")
	}
	return v, nil
}

// ListControllers lists them by id.
func (s *clusterService) ListControllers(ctx context.Context, _ *pb.ListControllersRequest) (*pb.ListControllersResponse, error) {
	if _, err := s.controller.seat.current(ctx); err != nil {
		return nil, err
	}
	v, shared := s.controller.config.Journal.(voters)
	if !shared {
		own := &pb.ControllerStatus{ControllerId: s.controller.config.ID, Address: s.controller.Address(), Leads: true}
		return &pb.ListControllersResponse{Controllers: []*pb.ControllerStatus{own}}, nil
	}
	all, err := v.Voters()
	if err != nil {
		return nil, wireVoters(err)
	}
	out := &pb.ListControllersResponse{}
	for _, voter := range all {
		out.Controllers = append(out.Controllers, &pb.ControllerStatus{
			ControllerId: voter.ID, Address: voter.Address, Leads: voter.Leader, Joining: voter.Joining})
	}
	slices.SortFunc(out.Controllers, func(a, b *pb.ControllerStatus) int { return strings.Compare(a.ControllerId, b.ControllerId) })
	return out, nil
}

// AddController lets a controller take part.
func (s *clusterService) AddController(ctx context.Context, in *pb.AddControllerRequest) (*pb.AddControllerResponse, error) {
	if in.ControllerId == "" || in.Address == "" {
		return nil, status.Error(codes.InvalidArgument, "a controller to add needs controller_id and address")
	}
	v, err := s.voters(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.AddControllerResponse{}, wireVoters(v.AddVoter(ctx, in.ControllerId, in.Address))
}

// RemoveController ends a controller's part.
func (s *clusterService) RemoveController(ctx context.Context, in *pb.RemoveControllerRequest) (*pb.RemoveControllerResponse, error) {
	v, err := s.voters(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.RemoveControllerResponse{}, wireVoters(v.RemoveVoter(ctx, in.ControllerId))
}

// TransferLeadership has another controller lead.
func (s *clusterService) TransferLeadership(ctx context.Context, in *pb.TransferLeadershipRequest) (*pb.TransferLeadershipResponse, error) {
	v, err := s.voters(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.TransferLeadershipResponse{}, wireVoters(v.Transfer(ctx, in.ControllerId))
}

// wireVoters gives an error about voters its gRPC code.
func wireVoters(err error) error {
	var elsewhere *journal.NotLeaderError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &elsewhere):
		return network.NotLeader(elsewhere.Leader, nil)
	case errors.Is(err, journal.ErrUnknownVoter):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, journal.ErrAddressTaken):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, journal.ErrLastVoter), errors.Is(err, journal.ErrOnlyVoter), errors.Is(err, journal.ErrUnreachable):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unavailable, err.Error())
}

// CheckInvariants verifies the state.
func (s *clusterService) CheckInvariants(ctx context.Context, _ *pb.CheckInvariantsRequest) (*pb.CheckInvariantsResponse, error) {
	wrong, err := s.controller.check(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.CheckInvariantsResponse{}
	if wrong != nil {
		out.Violations = wrong.Error()
	}
	return out, nil
}

// Describe writes the state down.
func (s *clusterService) Describe(ctx context.Context, in *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	text, err := s.controller.Describe(ctx, in.GetSince().AsTime())
	if err != nil {
		return nil, err
	}
	return &pb.DescribeResponse{Text: text}, nil
}

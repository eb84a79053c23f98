package controller

import (
	"context"

	pb "iris/iris/proto"
)

// clusterService is what operators call.
type clusterService struct {
	pb.UnimplementedClusterServiceServer
	controller *Controller
}

// CheckInvariants verifies the state.
func (s *clusterService) CheckInvariants(ctx context.Context, _ *pb.CheckInvariantsRequest) (*pb.CheckInvariantsResponse, error) {
	wrong, err := ask(ctx, s.controller.seat, nil, func(l *loop, _ []error) error { return l.cluster.Check() })
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

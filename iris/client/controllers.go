package client

import (
	"context"

	pb "iris/iris/proto"
)

// Controllers lists the cluster's controllers, by id.
func (c *Client) Controllers(ctx context.Context) ([]*pb.ControllerStatus, error) {
	out, err := call(ctx, c, pb.NewClusterServiceClient(c.conn).ListControllers, &pb.ListControllersRequest{})
	return out.GetControllers(), err
}

// AddController lets a controller take part, one that is known already included.
func (c *Client) AddController(ctx context.Context, id, address string) error {
	_, err := call(ctx, c, pb.NewClusterServiceClient(c.conn).AddController,
		&pb.AddControllerRequest{ControllerId: id, Address: address})
	return err
}

// RemoveController ends a controller's part.
func (c *Client) RemoveController(ctx context.Context, id string) error {
	_, err := call(ctx, c, pb.NewClusterServiceClient(c.conn).RemoveController, &pb.RemoveControllerRequest{ControllerId: id})
	return err
}

// TransferLeadership has another controller lead; an empty id leaves the choice to them.
func (c *Client) TransferLeadership(ctx context.Context, id string) error {
	_, err := call(ctx, c, pb.NewClusterServiceClient(c.conn).TransferLeadership, &pb.TransferLeadershipRequest{ControllerId: id})
	return err
}

package client

import (
	"context"

	pb "iris/iris/proto"
)

// Fleet is the cluster's scale groups, their slices, and what happened to them lately.
func (c *Client) Fleet(ctx context.Context) (*pb.GetFleetResponse, error) {
	return call(ctx, c, pb.NewClusterServiceClient(c.conn).GetFleet, &pb.GetFleetRequest{})
}

// MachineLogs are the last lines, at most n, of what a machine of a slice said while it came up. 0: 100.
func (c *Client) MachineLogs(ctx context.Context, machine string, n int) ([]string, error) {
	out, err := call(ctx, c, pb.NewClusterServiceClient(c.conn).FetchMachineLogs,
		&pb.FetchMachineLogsRequest{MachineId: machine, Lines: int32(n)})
	return out.GetLines(), err
}

package client

import (
	"context"
	"time"

	pb "iris/iris/proto"
)

// Job is a submitted job.
type Job struct {
	ID     string
	client *Client
}

// Submit launches a job, its workspace first. The error is a gRPC status: INVALID_ARGUMENT names every mistake.
func (c *Client) Submit(ctx context.Context, spec Spec) (*Job, error) {
	request := &pb.LaunchJobRequest{JobId: spec.ID}
	if request.JobId == "" {
		request.JobId = NewID(spec.Name)
	}
	if spec.Workspace == "" {
		request.Spec = spec.proto("")
	} else {
		sum, err := c.upload(ctx, spec.Workspace)
		if err != nil {
			return nil, err
		}
		request.Spec = spec.proto(sum)
	}
	if _, err := call(ctx, c, c.rpc.LaunchJob, request); err != nil {
		return nil, err
	}
	return c.Job(request.JobId), nil
}

// Job refers to a job by its id; it need not exist.
func (c *Client) Job(id string) *Job { return &Job{ID: id, client: c} }

// Status is how the job is now. NOT_FOUND: there is none of that id.
func (j *Job) Status(ctx context.Context) (*pb.JobStatus, error) {
	out, err := call(ctx, j.client, j.client.rpc.GetJobStatus, &pb.GetJobStatusRequest{JobId: j.ID})
	return out.GetJob(), err
}

// Wait returns the job's status once it is over, however it ended. It looks at first often, later once a second.
func (j *Job) Wait(ctx context.Context) (*pb.JobStatus, error) {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		s, err := j.Status(ctx)
		if err != nil || s.State.Over() {
			return s, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// Tasks are all tasks with their attempts, by index.
func (j *Job) Tasks(ctx context.Context) ([]*pb.TaskStatus, error) {
	var all []*pb.TaskStatus
	for token := ""; ; {
		page, err := call(ctx, j.client, j.client.rpc.ListTasks, &pb.ListTasksRequest{JobId: j.ID, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Tasks...)
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// Logs are the lines that the last attempt of a task has written so far and its worker still has.
func (j *Job) Logs(ctx context.Context, task int) ([]*pb.LogLine, error) {
	return j.logs(ctx, task, nil)
}

// AttemptLogs are the same of any attempt, by its number.
func (j *Job) AttemptLogs(ctx context.Context, task, attempt int) ([]*pb.LogLine, error) {
	number := int32(attempt)
	return j.logs(ctx, task, &number)
}

func (j *Job) logs(ctx context.Context, task int, attempt *int32) ([]*pb.LogLine, error) {
	var all []*pb.LogLine
	for start := int64(0); ; {
		page, err := call(ctx, j.client, j.client.rpc.FetchTaskLogs,
			&pb.FetchTaskLogsRequest{JobId: j.ID, TaskIndex: int32(task), AttemptId: attempt, StartLine: start})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Lines...)
		if start = page.NextLine; len(page.Lines) == 0 || page.Complete {
			return all, nil
		}
	}
}

// Terminate ends the job and its children. A job that is over stays as it is.
func (j *Job) Terminate(ctx context.Context) error {
	_, err := call(ctx, j.client, j.client.rpc.TerminateJob, &pb.TerminateJobRequest{JobId: j.ID})
	return err
}

// LogPage asks once, without retries, for what an attempt of a task has written from a line on; nil is the last attempt.
// FAILED_PRECONDITION and NOT_FOUND say that its worker and with it the log is gone; what is UNAVAILABLE may come back.
func (j *Job) LogPage(ctx context.Context, task int, attempt *int32, line int64) (*pb.FetchTaskLogsResponse, error) {
	return j.client.rpc.FetchTaskLogs(ctx,
		&pb.FetchTaskLogsRequest{JobId: j.ID, TaskIndex: int32(task), AttemptId: attempt, StartLine: line})
}

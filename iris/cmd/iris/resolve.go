package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// unknown is the error of something that is not there.
func unknown(what, name, list string) error {
	return fmt.Errorf("there is no %s %q; `%s` shows those there are", what, name, list)
}

// unknownOf is the error of something that is not there, with the names of those that are.
func unknownOf(what, name string, known []string, list string) error {
	const most = 10
	switch {
	case len(known) == 0:
		return fmt.Errorf("there is no %s %q, and no other", what, name)
	case len(known) == 1:
		return fmt.Errorf("there is no %s %q; there is only %s", what, name, known[0])
	case len(known) > most:
		return fmt.Errorf("there is no %s %q; there are %s and %d more: `%s` shows them",
			what, name, strings.Join(known[:most], ", "), len(known)-most, list)
	}
	return fmt.Errorf("there is no %s %q; there are %s", what, name, strings.Join(known, ", "))
}

// job finds the job that a user means: by its id; by its name, if one job of that name is not over; by the beginning of its
// id, if one job's id begins so.
func (l *link) job(ctx context.Context, text string) (*client.Job, error) {
	if text == "" {
		return nil, usageError{errors.New("the id of a job is empty")}
	}
	_, err := l.Job(text).Status(ctx)
	if err == nil {
		return l.Job(text), nil
	}
	if s := refused(err); s == nil || s.Code() != codes.NotFound {
		return nil, l.wrong(err)
	}
	jobs, err := l.Jobs(ctx, "")
	if err != nil {
		return nil, l.wrong(err)
	}
	id, err := pick(text, jobs)
	if err != nil {
		return nil, err
	}
	return l.Job(id), nil
}

// pick chooses among all jobs.
func pick(text string, jobs []*pb.JobStatus) (id string, err error) {
	var named, begun []*pb.JobStatus
	for _, j := range jobs {
		if j.Name == text && !j.State.Over() {
			named = append(named, j)
		}
		if strings.HasPrefix(j.JobId, text) {
			begun = append(begun, j)
		}
	}
	candidates := named
	if len(candidates) == 0 {
		candidates = begun
	}
	switch len(candidates) {
	case 0:
		return "", unknown("job", text, "iris job list")
	case 1:
		return candidates[0].JobId, nil
	}
	const most = 10
	var lines []string
	for i := len(candidates) - 1; i >= 0 && len(lines) < most; i-- { // the newest first
		j := candidates[i]
		lines = append(lines, fmt.Sprintf("  %s  %s", j.JobId, view.JobState(j.State)))
	}
	if more := len(candidates) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return "", usageError{fmt.Errorf("%q means %d jobs; say which:\n%s", text, len(candidates), strings.Join(lines, "\n"))}
}

package worker

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// service is what the controller calls.
type service struct {
	pb.UnimplementedWorkerServiceServer
	w *Worker
}

// addressed refuses calls for somebody else: the address may have been recycled (FM-24).
func (s *service) addressed(worker, incarnation string) error {
	if worker == s.w.config.ID && incarnation == s.w.incarnation {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition, "this is worker %s, incarnation %s; the call is for %s, %s",
		s.w.config.ID, s.w.incarnation, worker, incarnation)
}

// RunTask starts what is new among the attempts and says which it refuses.
func (s *service) RunTask(ctx context.Context, in *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
	if err := s.addressed(in.WorkerId, in.Incarnation); err != nil {
		return nil, err
	}
	if lost := s.w.timesLost.Load(); in.TimesLost != nil && *in.TimesLost < lost {
		return nil, status.Errorf(codes.FailedPrecondition, "worker %s has been lost since this order left, and is back; its tasks run elsewhere",
			s.w.config.ID)
	}
	out, mu := &pb.RunTaskResponse{}, sync.Mutex{}
	refuse := func(run *pb.TaskRun, err error) {
		mu.Lock()
		defer mu.Unlock()
		out.Refused = append(out.Refused, &pb.Refusal{
			AttemptUid: run.AttemptUid, Code: int32(status.Code(err)), Message: status.Convert(err).Message()})
	}
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err() // the order comes too late: it will come again
	}
	entries := sync.WaitGroup{}
	for _, run := range in.Tasks {
		if in.Specs[run.JobId] == nil {
			refuse(run, status.Errorf(codes.InvalidArgument, "the call has no spec of job %s", run.JobId))
			continue
		}
		if known, forgotten := s.w.ledger.knows(run.AttemptUid); forgotten {
			// An order that was under way, which nobody waits for; or the job's id is used again. Who waits must not wait for ever.
			refuse(run, status.Errorf(codes.FailedPrecondition, "attempt %s is over here, and its end was acknowledged", run.AttemptUid))
			continue
		} else if known {
			continue
		}
		a := s.w.newAttempt(run, in.Specs[run.JobId])
		if !submitSite.Armed() {
			if err := s.begin(a); err != nil {
				refuse(run, err)
			}
			continue
		}
		entries.Go(func() {
			if err := submitSite.Hit(ctx, a); err != nil {
				a.cancel()
				refuse(run, err)
				return
			}
			if err := s.begin(a); err != nil {
				refuse(run, err)
			}
		})
	}
	entries.Wait()
	if err := acceptSite.Hit(ctx, s.w); err != nil {
		return nil, err
	}
	return out, nil
}

// begin follows an order, unless it was followed before. The error is for the controller.
func (s *service) begin(a *attempt) error {
	added, shut := false, false
	if s.w.ctx.Err() == nil {
		added, shut = s.w.ledger.add(a)
	}
	if !added {
		a.cancel()
		if shut {
			return status.Errorf(codes.FailedPrecondition, "worker %s is draining and takes nothing new", s.w.config.ID)
		}
		return nil
	}
	s.w.logs.open(a.uid)
	s.w.running.Go(func() { s.w.execute(a) })
	return nil
}

// StopTask stops attempts; each is confirmed by a report. Without any it is how a new leader asks for a sign of life.
func (s *service) StopTask(_ context.Context, in *pb.StopTaskRequest) (*pb.StopTaskResponse, error) {
	if err := s.addressed(in.WorkerId, in.Incarnation); err != nil {
		return nil, err
	}
	if len(in.AttemptUids) == 0 {
		s.w.greeted()
	}
	s.w.ledger.answer(nil, in.AttemptUids)
	return &pb.StopTaskResponse{Draining: s.w.drain.on()}, nil
}

// maxLogWait is how long one call may wait for lines.
const maxLogWait = 20 * time.Second

// FetchTaskLogs reads a page of an attempt's log, and waits for one if the call wants that.
func (s *service) FetchTaskLogs(ctx context.Context, in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	if err := s.addressed(in.WorkerId, in.Incarnation); err != nil {
		return nil, err
	}
	if in.StartLine < 0 || in.MaxLines < 0 || in.MaxLines > logPage {
		return nil, status.Errorf(codes.InvalidArgument, "start_line %d and max_lines %d are not in 0.. and 0..%d",
			in.StartLine, in.MaxLines, logPage)
	}
	wait := in.Wait.AsDuration()
	if wait < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "wait is %v; it must not be negative", wait)
	}
	limit := logPage
	if in.MaxLines > 0 {
		limit = int(in.MaxLines)
	}
	defer s.w.readers.enter()()
	over := time.NewTimer(min(wait, maxLogWait))
	defer over.Stop()
	look, stop := s.w.logTicks()
	defer stop()
	for {
		stamp, err := s.w.logStamp(in.AttemptUid)
		if err != nil {
			return nil, status.Errorf(codes.Internal, "log of attempt %s: %v", in.AttemptUid, err)
		}
		page, changed, err := s.w.readLog(in.AttemptUid, in.StartLine, limit)
		if err != nil {
			return nil, status.Errorf(codes.Internal, "log of attempt %s: %v", in.AttemptUid, err)
		}
		if changed == nil || wait == 0 {
			return s.answer(in.AttemptUid, page)
		}
		for same := true; same; {
			select {
			case <-changed:
				same = false
			case <-look:
				now, err := s.w.logStamp(in.AttemptUid)
				same = now == stamp && err == nil
			case <-over.C:
				return s.answer(in.AttemptUid, page)
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}
	}
}

// answer is a page, or the refusal of one that is not kept.
func (s *service) answer(uid string, page *pb.FetchTaskLogsResponse) (*pb.FetchTaskLogsResponse, error) {
	if page == nil {
		return nil, status.Errorf(codes.NotFound, "worker %s has no log of attempt %s: the attempt never ran here, or the "+
			"log was dropped; the logs of the last %d finished attempts are kept", s.w.config.ID, uid, logAttempts)
	}
	return page, nil
}

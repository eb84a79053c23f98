package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// workersPage is what the list of workers shows.
type workersPage struct {
	Name                         string
	Live, Silent, Draining, Lost int
	Workers                      cut[*pb.WorkerStatus]
}

func (s *Server) workers(r *http.Request) (look, error) {
	name := r.URL.Query().Get("name")
	page, err := pageOf(r)
	if err != nil {
		return look{}, err
	}
	return look{"workers", "Workers", "workers", func(ctx context.Context, c calls) (any, error) {
		out, err := c.jobs.ListWorkers(ctx, &pb.ListWorkersRequest{})
		if err != nil {
			return nil, err
		}
		p := workersPage{Name: name}
		for _, w := range out.Workers {
			*p.of(w)++
		}
		named := slices.DeleteFunc(out.Workers, func(w *pb.WorkerStatus) bool { return !strings.Contains(w.WorkerId, name) })
		p.Workers = cutOf(inRank(named), page, func(page string) string { return link("/workers", "name", name, "page", page) })
		return p, nil
	}}, nil
}

// of is the count of those that stand as a worker does.
func (p *workersPage) of(w *pb.WorkerStatus) *int {
	switch standing(w) {
	case "LOST":
		return &p.Lost
	case "SILENT":
		return &p.Silent
	case "DRAINING":
		return &p.Draining
	}
	return &p.Live
}

// inRank are those first that may soon be lost, or end; last those that are lost.
func inRank(workers []*pb.WorkerStatus) []*pb.WorkerStatus {
	rank := map[string]int{"SILENT": 0, "DRAINING": 1, "LIVE": 2, "LOST": 3}
	slices.SortStableFunc(workers, func(a, b *pb.WorkerStatus) int { return cmp.Compare(rank[standing(a)], rank[standing(b)]) })
	return workers
}

// workerPage is what the page of a worker shows.
type workerPage struct {
	Worker *pb.WorkerStatus
	Holds  []string // uids of attempts, the first of them
	More   int
	Past   []*pb.Event
}

// shownHeld is how many attempts of a worker are listed.
const shownHeld = 100

func (s *Server) worker(r *http.Request) (look, error) {
	id := r.PathValue("worker")
	return look{"workers", id, "worker", func(ctx context.Context, c calls) (any, error) {
		out, err := c.jobs.ListWorkers(ctx, &pb.ListWorkersRequest{})
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(out.Workers, func(w *pb.WorkerStatus) bool { return w.WorkerId == id })
		if at < 0 {
			return nil, status.Errorf(codes.NotFound, "worker %q is unknown; lost ones are forgotten after a while", id)
		}
		w := out.Workers[at]
		n := min(len(w.AttemptUids), shownHeld)
		p := workerPage{Worker: w, Holds: w.AttemptUids[:n], More: len(w.AttemptUids) - n}
		p.Past, err = past(ctx, c, "", id)
		return p, err
	}}, nil
}

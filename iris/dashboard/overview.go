package dashboard

import (
	"context"
	"net/http"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// overviewPage is what the first page shows.
type overviewPage struct {
	Troubles    []trouble
	Tabs        []tab
	All         int32
	Recent      []*pb.JobStatus // jobs, the newest first
	Live, Gone  int             // workers, and those that are lost
	Capacity    state.Resources // of those that live
	Committed   state.Resources
	Groups      optional[[]group]
	Past        []*pb.Event // the newest first
	Controllers []*pb.ControllerStatus
}

// recentJobs is how many of the newest jobs are shown.
const recentJobs = 10

func (s *Server) overview(*http.Request) (look, error) {
	return look{"overview", "Overview", "overview", func(ctx context.Context, c calls) (any, error) {
		facts, err := s.facts(ctx, c)
		if err != nil {
			return nil, err
		}
		p := overviewPage{Troubles: facts.troubles(), Recent: facts.recent, Controllers: facts.controllers}
		p.Tabs, p.All = tabs(facts.counts, "none", func(word string) string { return link("/jobs", "state", word) })
		for _, w := range facts.workers {
			if w.State != pb.WorkerState_WORKER_STATE_LIVE {
				p.Gone++
				continue
			}
			p.Live++
			p.Capacity = p.Capacity.Add(state.ResourcesOf(w.Capacity))
			p.Committed = p.Committed.Add(state.ResourcesOf(w.Committed))
		}
		p.Groups.Refused = facts.fleet.Refused
		if fleet := facts.fleet.Value; fleet != nil {
			p.Groups.Value = groupsOf(fleet)
		}
		p.Past, err = past(ctx, c, "", "")
		return p, err
	}}, nil
}

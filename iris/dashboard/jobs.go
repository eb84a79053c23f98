package dashboard

import (
	"context"
	"net/http"

	pb "iris/iris/proto"
	"iris/iris/view"
)

// jobsPage is what the list of jobs shows.
type jobsPage struct {
	Name, State string
	Oldest      bool
	Paged       bool // it does not begin with the first
	Tabs        []tab
	All         int32
	Jobs        []*pb.JobStatus
	First, Next string // where else to go; Next is empty on the last page
	Turned      string // the same in the other order
}

// tab is a choice of a state, with how many there are in all.
type tab struct {
	Word, Link string
	Count      int32
	Chosen     bool
}

func (s *Server) jobs(r *http.Request) (look, error) {
	q := r.URL.Query()
	name, state, order := q.Get("name"), q.Get("state"), q.Get("order")
	states, err := stateOf(state, jobStates, view.JobState)
	if err != nil {
		return look{}, err
	}
	if order != "" && order != "oldest" {
		return look{}, badRequest("order is %q; it must be oldest, or nothing for the newest first", order)
	}
	in := &pb.ListJobsRequest{
		NamePrefix: name, States: states, PageSize: rows, PageToken: q.Get("from"), NewestFirst: order == "",
	}
	return look{"jobs", "Jobs", "jobs", func(ctx context.Context, c calls) (any, error) {
		out, err := c.jobs.ListJobs(ctx, in)
		if err != nil {
			return nil, err
		}
		p := jobsPage{
			Name: name, State: state, Oldest: order != "", Paged: in.PageToken != "", Jobs: out.Jobs,
			First:  link("/jobs", "name", name, "state", state, "order", order),
			Turned: link("/jobs", "name", name, "state", state, "order", map[bool]string{true: "oldest"}[order == ""]),
		}
		if out.NextPageToken != "" {
			p.Next = link("/jobs", "name", name, "state", state, "order", order, "from", out.NextPageToken)
		}
		p.Tabs, p.All = tabs(out.Counts, state, func(word string) string {
			return link("/jobs", "name", name, "state", word, "order", order)
		})
		return p, nil
	}}, nil
}

// tabs are the states that some job is in, and the chosen one.
func tabs(counts []*pb.JobStateCount, chosen string, to func(word string) string) (all []tab, sum int32) {
	of := map[pb.JobState]int32{}
	for _, c := range counts {
		of[c.State] = c.Count
		sum += c.Count
	}
	all = []tab{{"", to(""), sum, chosen == ""}}
	for _, s := range jobStates {
		if word := view.JobState(s); of[s] > 0 || word == chosen {
			all = append(all, tab{word, to(word), of[s], word == chosen})
		}
	}
	return all, sum
}

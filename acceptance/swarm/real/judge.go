package real

import (
	"context"
	"strings"

	"iris/acceptance/swarm/story"
	pb "iris/iris/proto"
)

// judge has the oracles judge what came of the story.
func (t *teller) judge(users []*user) {
	jobs, err := t.list(context.Background())
	if err != nil {
		t.wrong(ByHeal, "the jobs cannot be listed: %v", err)
		return
	}
	last := map[string]*pb.JobStatus{}
	for _, j := range jobs {
		last[j.JobId] = j
	}
	for _, u := range users {
		t.out.Ended[t.end(u, last[story.JobID(u.number)])]++
	}
}

// end is how a job ended, in a word.
func (t *teller) end(u *user, last *pb.JobStatus) string {
	switch {
	case last != nil:
		return strings.TrimPrefix(last.State.String(), "JOB_STATE_")
	case u.last != nil:
		return strings.TrimPrefix(u.last.State.String(), "JOB_STATE_")
	}
	for _, c := range u.calls {
		if c.kind == launch && !c.refused && !c.unknown {
			return "FORGOTTEN"
		}
	}
	return "REFUSED"
}

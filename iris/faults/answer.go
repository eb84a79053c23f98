package faults

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// Identity is who answers.
type Identity struct {
	ID    string   // new with each start; participants that share a process have one
	Names []string // as which of the targets it was asked
}

// Report is what one process answers.
type Report struct {
	Process  Identity
	Err      error // why there is no answer: a gRPC status
	Sites    []Site
	Rules    []Rule
	Released int // hits
}

// Site is a place where chaos may strike.
type Site struct {
	Name   string
	Doc    string
	Can    []string // fail, delay, pause, call
	Labels []string // that a rule may match
}

// Rule is an armed rule, or one that was armed.
type Rule struct {
	ID          string
	Text        string
	Armed       bool
	Counts                        // over all targets
	Held        int               // hits in a pause right now
	Missed      string            // what it was armed for and has not done yet; empty: nothing
	Targets     map[string]Counts // the 100 that fired most
	MoreTargets int
}

// Counts says how far hits came with a rule, as chaos.Counts does.
type Counts struct {
	Reached int
	Matched int
	Fired   int
}

// News is one message of a watch. Exactly one of the last three is set.
type News struct {
	Process Identity
	Began   bool    // the process is watched from here on
	Fired   *Firing // a rule fired
	Lost    error   // why it is not watched, or no more, until it Began again; firings meanwhile may be lost
}

// Firing is one fault.
type Firing struct {
	At     time.Time // by the clock of the process
	ID     string    // of the rule
	Rule   string
	Site   string
	Target string
	Nth    int // the how-manieth matched hit of this target, from 1
	Labels map[string]string
	Action string
	Missed int // firings just before that are lost, as they were not read in time
}

func fromProcess(p *pb.ChaosProcess) Identity { return Identity{p.GetId(), p.GetNames()} }

func fromError(e *pb.ChaosError) error {
	if e == nil {
		return nil
	}
	return status.Error(codes.Code(e.Code), e.Message)
}

func fromReport(r *pb.ChaosReport) Report {
	report := Report{Process: fromProcess(r.Process), Err: fromError(r.Error), Released: int(r.Released)}
	for _, s := range r.Sites {
		report.Sites = append(report.Sites, Site{s.Name, s.Doc, s.Can, s.Labels})
	}
	for _, r := range r.Rules {
		report.Rules = append(report.Rules, fromRule(r))
	}
	return report
}

func fromRule(r *pb.ChaosRule) Rule {
	rule := Rule{
		ID: r.Id, Text: r.Text, Armed: r.Armed, Counts: fromCounts(r.Counts), Held: int(r.Held), Missed: r.Missed,
		Targets: map[string]Counts{}, MoreTargets: int(r.MoreTargets),
	}
	for target, counts := range r.Targets {
		rule.Targets[target] = fromCounts(counts)
	}
	return rule
}

func fromCounts(c *pb.ChaosCounts) Counts {
	return Counts{int(c.GetReached()), int(c.GetMatched()), int(c.GetFired())}
}

func fromFiring(f *pb.ChaosFiring) *Firing {
	return &Firing{
		At: f.At.AsTime(), ID: f.Id, Rule: f.Rule, Site: f.Site, Target: f.Target, Nth: int(f.Nth), Labels: f.Labels,
		Action: f.Action, Missed: int(f.Missed),
	}
}

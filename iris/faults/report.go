package faults

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"iris/chaos"
	pb "iris/iris/proto"
)

// maxTargets is how many targets of a rule a report has. Some sites have one for each attempt.
const maxTargets = 100

// reportOf says what rules have done so far.
func reportOf(rules ...*chaos.Rule) *pb.ChaosReport {
	report := &pb.ChaosReport{}
	for _, r := range rules {
		report.Rules = append(report.Rules, ruleOf(r))
	}
	return report
}

func ruleOf(r *chaos.Rule) *pb.ChaosRule {
	rule := &pb.ChaosRule{
		Id: r.ID(), Text: r.String(), Armed: r.Armed(), Counts: countsOf(r.Counts()), Held: uint32(r.Held()),
		Targets: map[string]*pb.ChaosCounts{},
	}
	if err := r.Verify(); err != nil {
		rule.Missed = strings.TrimPrefix(err.Error(), "chaos: rule "+r.String()+": ")
	}
	targets := r.Targets()
	order := slices.SortedFunc(maps.Keys(targets), func(a, b string) int {
		return cmp.Or(cmp.Compare(targets[b].Fired, targets[a].Fired), cmp.Compare(a, b))
	})
	if len(order) > maxTargets {
		rule.MoreTargets = uint32(len(order) - maxTargets)
		order = order[:maxTargets]
	}
	for _, target := range order {
		rule.Targets[clean(target)] = countsOf(targets[target])
	}
	return rule
}

func countsOf(c chaos.Counts) *pb.ChaosCounts {
	return &pb.ChaosCounts{Reached: uint64(c.Reached), Matched: uint64(c.Matched), Fired: uint64(c.Fired)}
}

func firingOf(e chaos.Event) *pb.ChaosFiring {
	labels := map[string]string{}
	for key, value := range e.Firing.Labels {
		labels[clean(key)] = clean(value)
	}
	return &pb.ChaosFiring{
		At: timestamppb.New(e.Firing.At), Id: e.By.ID(), Rule: e.Firing.Rule, Site: e.Firing.Site,
		Target: clean(e.Firing.Target), Nth: uint64(e.Firing.Nth), Labels: labels, Action: e.Firing.Action,
		Missed: uint64(e.Missed),
	}
}

// clean makes of what a program uses as a label a text that protobuf carries.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

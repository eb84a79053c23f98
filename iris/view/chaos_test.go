package view_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
	"iris/iris/view"
)

func chaosReport(name string, rules ...*pb.ChaosRule) *pb.ChaosReport {
	return &pb.ChaosReport{Process: &pb.ChaosProcess{Id: "p-" + name, Names: []string{name}}, Rules: rules}
}

func counts(reached, matched, fired uint64) *pb.ChaosCounts {
	return &pb.ChaosCounts{Reached: reached, Matched: matched, Fired: fired}
}

// chaosReports are those of a controller and four workers, of which one is gone.
func chaosReports() []*pb.ChaosReport {
	lossy := func(c *pb.ChaosCounts, missed string) *pb.ChaosRule {
		return &pb.ChaosRule{
			Id: "k3f9a2-1", Text: "worker.heartbeat[cluster=demo,worker=w-0] rate 0.5 max 3 delay 3s fail",
			Armed: true, Counts: c, Missed: missed, Targets: map[string]*pb.ChaosCounts{"w-0": c},
		}
	}
	held := &pb.ChaosRule{
		Id: "k3f9a2-2", Text: "controller.dispatch[cluster=demo] pause", Counts: counts(2, 2, 2), Held: 1,
		Targets: map[string]*pb.ChaosCounts{"w-0/a\nb/0/0": counts(2, 2, 2)}, MoreTargets: 1,
	}
	gone := chaosReport("w-3")
	gone.Error = &pb.ChaosError{Code: uint32(codes.Unavailable), Message: "connection refused"}
	return []*pb.ChaosReport{
		chaosReport("c-0", lossy(counts(0, 0, 0), "never reached"), held),
		chaosReport("w-0", lossy(counts(12, 6, 3), "")),
		chaosReport("w-1", lossy(counts(0, 0, 0), "never reached")),
		chaosReport("w-2", lossy(counts(0, 0, 0), "never reached")), gone,
	}
}

// written is what write writes.
func written(t *testing.T, write func(*strings.Builder) error) string {
	t.Helper()
	var out strings.Builder
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

func TestChaosRulesAreListedWithWhatTheyDid(t *testing.T) {
	rules := func(width int, targets bool) string {
		return written(t, func(out *strings.Builder) error {
			return view.ChaosRules(out, view.Terminal{Width: width}, targets, chaosReports())
		})
	}
	same(t, "page", rules(0, false), `k3f9a2-1  worker.heartbeat[cluster=demo,worker=w-0] rate 0.5 max 3 delay 3s fail
  c-0, w-1, w-2  armed, never reached
  w-0            armed, fired 3 of 6 matched, 12 reached
k3f9a2-2  controller.dispatch[cluster=demo] pause
  c-0  disarmed, fired 2 of 2 matched, 2 reached, holds 1
w-3 did not answer: connection refused
`)
	same(t, "narrow page with targets", rules(40, true), `k3f9a2-1
    worker.heartbeat[cluster=demo,worker
    =w-0] rate 0.5 max 3 delay 3s fail
  c-0, w-1, w-2  armed, never reached
      w-0:
          fired 0 of 0 matched, 0
          reached
  w-0
      armed, fired 3 of 6 matched, 12
      reached
      w-0:
          fired 3 of 6 matched, 12
          reached
k3f9a2-2
    controller.dispatch[cluster=demo]
    pause
  c-0
      disarmed, fired 2 of 2 matched, 2
      reached, holds 1
      w-0/a b/0/0:
          fired 2 of 2 matched, 2
          reached
      and 1 target more
w-3 did not answer: connection refused
`)
	same(t, "page without rules", written(t, func(out *strings.Builder) error {
		return view.ChaosRules(out, view.Terminal{}, false, []*pb.ChaosReport{chaosReport("c-0")})
	}), "no rules\n")
}

func TestManyProcessesThatDidTheSameAreCounted(t *testing.T) {
	var reports []*pb.ChaosReport
	for i := range 1000 {
		rule := &pb.ChaosRule{Id: "x", Text: "worker.heartbeat fail", Armed: true, Missed: "never reached"}
		reports = append(reports, chaosReport(fmt.Sprintf("w-%d", i), rule))
	}
	same(t, "page", written(t, func(out *strings.Builder) error {
		return view.ChaosRules(out, view.Terminal{Width: 80}, true, reports)
	}), `x  worker.heartbeat fail
  w-0, w-1, w-2, w-3, w-4, w-5, w-6, w-7, w-8, w-9, w-10, w-11, w-12, w-13,
  w-14, w-15, w-16, w-17, w-18, w-19 and 980 more
      armed, never reached
`)
}

func TestChaosSitesAreListedOncePerProgram(t *testing.T) {
	sites := []*pb.ChaosSite{
		{Name: "worker.heartbeat", Doc: "before the periodic RPC: this beat is lost", Can: []string{"fail", "delay"},
			Labels: []string{"cluster", "worker"}},
		{Name: "vm.create", Doc: "before a slice is created", Can: []string{"pause"}},
	}
	of := func(name string, sites []*pb.ChaosSite) *pb.ChaosReport {
		r := chaosReport(name)
		r.Sites = sites
		return r
	}
	const first = `worker.heartbeat
    before the periodic RPC: this beat is lost
    may fail, delay; labels cluster, worker
`
	const second = `vm.create
    before a slice is created
    may pause
`
	page := func(reports ...*pb.ChaosReport) string {
		return written(t, func(out *strings.Builder) error {
			return view.ChaosSites(out, view.Terminal{Width: 80}, reports)
		})
	}
	same(t, "page", page(of("c-0", sites), of("w-0", sites)), first+second)
	same(t, "page of two programs", page(of("c-0", sites), of("w-0", sites[:1]), of("w-1", sites[:1])),
		"c-0:\n"+first+second+"w-0, w-1:\n"+first)
}

func TestChaosNewsAreALineEach(t *testing.T) {
	from := &pb.ChaosProcess{Id: "p", Names: []string{"w-0", "w-1"}}
	for want, m := range map[string]*pb.WatchChaosResponse{
		"w-0, w-1 is watched\n":             {Process: from, News: &pb.WatchChaosResponse_Began{Began: true}},
		"w-0, w-1 is not watched: gone ?\n": {Process: from, News: &pb.WatchChaosResponse_Lost{Lost: &pb.ChaosError{Message: "gone \x1b"}}},
		"w-0, w-1: 2 firings before this one were not read in time\n" +
			"12:03:04.005  w-0, w-1  k3f9a2-1 worker.heartbeat: delay 3s fail, hit 7 of w-1\n": {
			Process: from, News: &pb.WatchChaosResponse_Fired{Fired: &pb.ChaosFiring{
				At: timestamppb.New(time.Date(2000, 1, 1, 12, 3, 4, 5_000_000, time.UTC)), Id: "k3f9a2-1",
				Rule: "worker.heartbeat delay 3s fail", Site: "worker.heartbeat", Target: "w-1", Nth: 7,
				Labels: map[string]string{"worker": "w-1"}, Action: "delay 3s fail", Missed: 2,
			}}},
	} {
		same(t, "line", written(t, func(out *strings.Builder) error {
			return view.ChaosNews(out, view.Terminal{}, m)
		}), want)
	}
}

func TestNoLineOfChaosIsWiderThanTheTerminalAndNothingIsLost(t *testing.T) {
	for width := 40; width <= 200; width++ {
		text := written(t, func(out *strings.Builder) error {
			return view.ChaosRules(out, view.Terminal{Width: width}, true, chaosReports())
		})
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
				t.Errorf("a line has %d characters at width %d: %s", n, width, line)
			}
		}
		if whole := strings.Join(strings.Fields(text), ""); !strings.Contains(whole, "worker=w-0]rate0.5max3delay3sfail") {
			t.Errorf("something is missing at width %d:\n%s", width, text)
		}
	}
}

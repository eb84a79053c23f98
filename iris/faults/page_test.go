package faults_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/faults"
)

// answers are those of a controller and four workers, of which one is gone.
func answers() []faults.Report {
	of := func(name string, rules ...faults.Rule) faults.Report {
		return faults.Report{Process: faults.Identity{ID: "p-" + name, Names: []string{name}}, Rules: rules}
	}
	lossy := func(c faults.Counts, missed string) faults.Rule {
		return faults.Rule{
			ID: "k3f9a2-1", Text: "worker.heartbeat[cluster=demo,worker=w-0] rate 0.5 max 3 delay 3s fail",
			Armed: true, Counts: c, Missed: missed, Targets: map[string]faults.Counts{"w-0": c},
		}
	}
	held := faults.Rule{
		ID: "k3f9a2-2", Text: "controller.dispatch[cluster=demo] pause", Counts: faults.Counts{Reached: 2, Matched: 2, Fired: 2}, Held: 1,
		Targets: map[string]faults.Counts{"w-0/a\nb/0/0": {Reached: 2, Matched: 2, Fired: 2}}, MoreTargets: 1,
	}
	gone := of("w-3")
	gone.Err = status.Error(codes.Unavailable, "connection refused")
	return []faults.Report{
		of("c-0", lossy(faults.Counts{}, "never reached"), held),
		of("w-0", lossy(faults.Counts{Reached: 12, Matched: 6, Fired: 3}, "")),
		of("w-1", lossy(faults.Counts{}, "never reached")), of("w-2", lossy(faults.Counts{}, "never reached")), gone,
	}
}

func page(t *testing.T, width int, targets bool, write func(*faults.Page) error) string {
	t.Helper()
	var out strings.Builder
	if err := write(&faults.Page{Out: &out, Width: width, Targets: targets}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRulesAreWrittenForPeople(t *testing.T) {
	rules := func(p *faults.Page) error { return p.Rules(answers()) }
	equal(t, "page", page(t, 0, false, rules), `k3f9a2-1  worker.heartbeat[cluster=demo,worker=w-0] rate 0.5 max 3 delay 3s fail
  c-0, w-1, w-2  armed, never reached
  w-0            armed, fired 3 of 6 matched, 12 reached
k3f9a2-2  controller.dispatch[cluster=demo] pause
  c-0  disarmed, fired 2 of 2 matched, 2 reached, holds 1
w-3 did not answer: connection refused
`)
	equal(t, "narrow page with targets", page(t, 40, true, rules), `k3f9a2-1
    worker.heartbeat[cluster=demo,worker
    =w-0] rate 0.5 max 3 delay 3s fail
  c-0, w-1, w-2  armed, never reached
      w-0: fired 0 of 0 matched, 0
          reached
  w-0            armed, fired 3 of 6
      matched, 12 reached
      w-0: fired 3 of 6 matched, 12
          reached
k3f9a2-2
    controller.dispatch[cluster=demo]
    pause
  c-0  disarmed, fired 2 of 2 matched, 2
      reached, holds 1
      w-0/a�b/0/0: fired 2 of 2 matched,
          2 reached
      and 1 more targets
w-3 did not answer: connection refused
`)
	equal(t, "page without rules", page(t, 80, false, func(p *faults.Page) error {
		return p.Rules([]faults.Report{{Process: faults.Identity{Names: []string{"c-0"}}}})
	}), "no rules\n")
}

func TestSitesAreWrittenForPeople(t *testing.T) {
	sites := []faults.Site{
		{"worker.heartbeat", "before the periodic RPC: this beat is lost", []string{"fail", "delay"}, []string{"cluster", "worker"}},
		{"vm.create", "before a slice is created", []string{"pause"}, nil},
	}
	of := func(name string, sites []faults.Site) faults.Report {
		return faults.Report{Process: faults.Identity{Names: []string{name}}, Sites: sites}
	}
	const first = `worker.heartbeat
    before the periodic RPC: this beat is lost
    may fail, delay; labels cluster, worker
`
	const second = `vm.create
    before a slice is created
    may pause
`
	equal(t, "page", page(t, 80, false, func(p *faults.Page) error {
		return p.Sites([]faults.Report{of("c-0", sites), of("w-0", sites)})
	}), first+second)
	equal(t, "page of different processes", page(t, 80, false, func(p *faults.Page) error {
		return p.Sites([]faults.Report{of("c-0", sites), of("w-0", sites[:1]), of("w-1", sites[:1])})
	}), "c-0:\n"+first+second+"w-0, w-1:\n"+first)
}

func TestNewsAreWrittenForPeopleAndPrograms(t *testing.T) {
	from := faults.Identity{ID: "p", Names: []string{"w-0", "w-1"}}
	firing := faults.Firing{
		At: time.Date(2000, 1, 1, 12, 3, 4, 5_000_000, time.UTC), ID: "k3f9a2-1", Rule: "worker.heartbeat delay 3s fail",
		Site: "worker.heartbeat", Target: "w-1", Nth: 7, Labels: map[string]string{"worker": "w-1"}, Action: "delay 3s fail", Missed: 2,
	}
	for _, c := range []struct {
		news       faults.News
		page, json string
	}{
		{faults.News{Process: from, Began: true}, "w-0, w-1 is watched\n", `{"process":{"id":"p","names":["w-0","w-1"]},"began":true}`},
		{faults.News{Process: from, Lost: status.Error(codes.Unavailable, "gone")}, "w-0, w-1 is not watched: gone\n",
			`{"process":{"id":"p","names":["w-0","w-1"]},"lost":{"code":"Unavailable","message":"gone"}}`},
		{faults.News{Process: from, Fired: &firing},
			"w-0, w-1 fired 2 times that were not read in time\n" +
				"12:03:04.005  w-0, w-1  k3f9a2-1  worker.heartbeat: delay 3s fail, hit 7 of w-1\n",
			`{"process":{"id":"p","names":["w-0","w-1"]},"fired":{"at":"2000-01-01T12:03:04.005Z","id":"k3f9a2-1",` +
				`"rule":"worker.heartbeat delay 3s fail","site":"worker.heartbeat","target":"w-1","nth":7,` +
				`"labels":{"worker":"w-1"},"action":"delay 3s fail","missed":2}}`},
	} {
		equal(t, "page", page(t, 0, false, func(p *faults.Page) error { return p.News(c.news) }), c.page)
		text, err := json.Marshal(c.news)
		equal(t, "error", err, nil)
		equal(t, "JSON", string(text), c.json)
	}
}

func TestReportsAreJSON(t *testing.T) {
	all := answers()
	text, err := json.Marshal([]faults.Report{all[1], all[4]})
	equal(t, "error", err, nil)
	equal(t, "JSON", string(text), `[{"process":{"id":"p-w-0","names":["w-0"]},"rules":[{"id":"k3f9a2-1",`+
		`"text":"worker.heartbeat[cluster=demo,worker=w-0] rate 0.5 max 3 delay 3s fail","armed":true,`+
		`"reached":12,"matched":6,"fired":3,"held":0,"targets":{"w-0":{"reached":12,"matched":6,"fired":3}}}]},`+
		`{"process":{"id":"p-w-3","names":["w-3"]},"error":{"code":"Unavailable","message":"connection refused"}}]`)
}

func TestNoLineIsWiderThanThePage(t *testing.T) {
	for width := 40; width <= 200; width++ {
		text := page(t, width, true, func(p *faults.Page) error { return p.Rules(answers()) })
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

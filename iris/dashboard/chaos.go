package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/status"

	"iris/iris/faults"
)

// chaosPage is what the page of faults shows.
type chaosPage struct {
	Rules  []rule
	Sites  []faults.Site
	Silent []silent // processes that do not answer
	// Of a text that was refused: what it was, for which processes, and why.
	Draft, Targets, Wrong string
}

// rule is a rule in all processes that have it.
type rule struct {
	faults.Rule
	Where []string // the processes, by name
}

// nameOf is what a process is called.
func nameOf(p faults.Identity) string {
	if len(p.Names) == 0 {
		return p.ID
	}
	return strings.Join(p.Names, ", ")
}

// silent is a process that does not answer, and why.
type silent struct{ Name, Why string }

func (s *Server) chaos(*http.Request) (look, error) {
	return look{"chaos", "Chaos", "chaos", func(ctx context.Context, c calls) (any, error) {
		reports, err := c.faults.Rules(ctx)
		if err != nil {
			return nil, err
		}
		sites, err := c.faults.Sites(ctx, ".") // which are the same in all of them
		if err != nil {
			return nil, err
		}
		p := chaosPage{Rules: rulesOf(reports)}
		for _, report := range sites {
			p.Sites = report.Sites
		}
		for _, report := range reports {
			if report.Err != nil {
				p.Silent = append(p.Silent, silent{nameOf(report.Process), status.Convert(report.Err).Message()})
			}
		}
		return p, nil
	}}, nil
}

// rulesOf joins what processes say of their rules: the last armed first.
func rulesOf(reports []faults.Report) []rule {
	at := map[string]int{}
	var all []rule
	for _, report := range reports {
		for _, r := range report.Rules {
			i, known := at[r.ID]
			if !known {
				i = len(all)
				at[r.ID] = i
				all = append(all, rule{Rule: faults.Rule{ID: r.ID, Text: r.Text}})
			}
			of := &all[i]
			of.Armed = of.Armed || r.Armed
			of.Reached, of.Matched, of.Fired, of.Held = of.Reached+r.Reached, of.Matched+r.Matched, of.Fired+r.Fired, of.Held+r.Held
			of.Missed = cmp.Or(of.Missed, r.Missed)
			of.Where = append(of.Where, nameOf(report.Process))
		}
	}
	for i := range all {
		if all[i].Fired > 0 { // somewhere: what it was armed for is done
			all[i].Missed = ""
		}
	}
	slices.Reverse(all)
	return all
}

// enableRules arms rules, in the named processes or in all.
func (s *Server) enableRules(ctx context.Context, r *http.Request) (string, error) {
	targets := strings.FieldsFunc(r.PostForm.Get("targets"), func(c rune) bool { return c == ',' || c == ' ' })
	_, err := s.calls.faults.Enable(ctx, strings.ReplaceAll(r.PostForm.Get("rules"), "\r\n", "\n"), targets...)
	return "/chaos", err
}

// refused is the page with what was refused, to be mended.
func (p chaosPage) refused(r *http.Request, why string) any {
	p.Draft, p.Targets, p.Wrong = r.PostForm.Get("rules"), r.PostForm.Get("targets"), why
	return p
}

func (s *Server) disarmRule(ctx context.Context, r *http.Request) (string, error) {
	_, err := s.calls.faults.Disarm(ctx, r.PostForm.Get("id"))
	return "/chaos", err
}

func (s *Server) releaseRule(ctx context.Context, r *http.Request) (string, error) {
	_, err := s.calls.faults.Release(ctx, r.PostForm.Get("id"), 0)
	return "/chaos", err
}

func (s *Server) resetRules(ctx context.Context, _ *http.Request) (string, error) {
	_, err := s.calls.faults.Reset(ctx)
	return "/chaos", err
}

// followFirings streams what fires.
func (s *Server) followFirings(w http.ResponseWriter, r *http.Request) {
	s.lines(w, r, func(ctx context.Context, out events) error {
		watch, err := s.calls.faults.WatchAll(ctx)
		if err != nil {
			return err
		}
		for {
			news, err := watch.Next()
			if err != nil {
				return err
			}
			var said line
			switch {
			case news.Fired != nil:
				f := news.Fired
				said = line{At: f.At, Source: nameOf(news.Process), Text: f.Site + " " + f.Target + ": " + f.Action, Kind: "fired"}
			case news.Lost != nil:
				said = line{Source: nameOf(news.Process), Text: "is not watched: " + status.Convert(news.Lost).Message(), Kind: "note"}
			default:
				continue
			}
			if err := out.lines("", said); err != nil {
				return err
			}
		}
	})
}

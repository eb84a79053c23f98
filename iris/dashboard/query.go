package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// rows is how many lines a list has on one page.
const rows = 50

// number reads a number from a request's path or query. Unset is the given one.
func number(text, what string, unset, least, most int) (int, error) {
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s is %q; it must be a number from %d to %d", what, text, least, most)
	}
	return n, nil
}

// maxPage is the greatest number that a page may have.
const maxPage = 1_000_000

// cut is the part of a list that a page shows, with links to the pages beside it; empty: there is none.
type cut[T any] struct {
	Items            []T
	All, Page, Pages int
	Previous, Next   string
}

func cutOf[T any](all []T, page int, to func(page string) string) cut[T] {
	c := cut[T]{All: len(all), Page: page, Pages: max(1, (len(all)+rows-1)/rows)}
	from := min((page-1)*rows, len(all))
	c.Items = all[from:min(from+rows, len(all))]
	if page > 1 {
		c.Previous = to(strconv.Itoa(min(page-1, c.Pages)))
	}
	if page < c.Pages {
		c.Next = to(strconv.Itoa(page + 1))
	}
	return c
}

// pageOf is the number of the page that a request is about.
func pageOf(r *http.Request) (int, error) {
	return number(r.URL.Query().Get("page"), "page", 1, 1, maxPage)
}

// jobStates and taskStates are all states of each, in the order of a life.
var jobStates, taskStates = func() (jobs []pb.JobState, tasks []pb.TaskState) {
	for _, s := range state.States {
		tasks = append(tasks, pb.TaskState(s))
		if s.OfJob() {
			jobs = append(jobs, pb.JobState(s))
		}
	}
	return jobs, tasks
}()

// stateOf reads a state, in one word. Empty is all of them.
func stateOf[S comparable](text string, states []S, word func(S) string) ([]S, error) {
	if text == "" {
		return nil, nil
	}
	i := slices.IndexFunc(states, func(s S) bool { return word(s) == text })
	if i < 0 {
		var known []string
		for _, s := range states {
			known = append(known, word(s))
		}
		return nil, badRequest("there is no state %q; there are %s", text, strings.Join(known, ", "))
	}
	return states[i : i+1], nil
}

// link is a page with another query: pairs of names and values, of which the empty ones are left out.
func link(page string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return page
	}
	return page + "?" + query.Encode()
}

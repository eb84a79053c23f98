package dashboard

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed pages
var pages embed.FS

// templates are, by name, the pages, each with the layout of all.
var templates = func() map[string]*template.Template {
	layout := parse(parse(template.New("layout").Funcs(words), "layout"), "parts")
	all := map[string]*template.Template{}
	files, err := pages.ReadDir("pages")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name != "layout" && name != "parts" {
			all[name] = parse(template.Must(layout.Clone()), name)
		}
	}
	return all
}()

// parse reads a file into a template. Cells of tables lose the line breaks between them: one that says nothing is empty.
func parse(into *template.Template, name string) *template.Template {
	text, err := pages.ReadFile(path.Join("pages", name+".html"))
	if err != nil {
		panic(err) // it is embedded
	}
	joined := strings.NewReplacer("\n<td", "<td", "\n<tr", "<tr", "\n</tbody>", "</tbody>").Replace(string(text))
	return template.Must(into.Parse(joined))
}

// asking asks the controllers for what a page shows.
type asking func(ctx context.Context, c calls) (any, error)

// frame is what templates are given.
type frame struct {
	Section, Title      string
	Cluster, Controller string
	Follows             bool // the controller that this is the dashboard of does not lead
	LoggedIn            bool
	Chaos               bool
	// Now is when it is shown. Zero: in news of a page, which say instants, and leave it to the page how long ago they are:
	// as long as nothing happens they stay the same.
	Now  time.Time
	Data any
}

func (s *Server) frame(l look, now time.Time, data any) frame {
	return frame{
		Section: l.section, Title: l.title, Cluster: s.config.Cluster, Controller: s.config.Controller,
		Follows: !s.config.Leads(), LoggedIn: s.config.Secured, Chaos: s.config.Chaos, Now: now, Data: data,
	}
}

// show answers with a page; those who ask for events get its news.
func (s *Server) show(w http.ResponseWriter, r *http.Request, p page) {
	w.Header().Set("Vary", "Accept")
	events := r.Header.Get("Accept") == eventStream
	token, err := s.token(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	l, err := p(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if events {
		s.follow(w, r, token, l)
		return
	}
	ctx, cancel := s.call(r.Context(), token)
	defer cancel()
	data, err := l.ask(ctx, s.calls)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, l, data)
}

// call is the context of what a page asks for, with its viewer's credentials.
func (s *Server) call(ctx context.Context, token string) (context.Context, context.CancelFunc) {
	return context.WithTimeout(as(ctx, token), callTimeout)
}

// render writes a whole page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, code int, l look, data any) {
	var out bytes.Buffer
	if err := templates[l.template].ExecuteTemplate(&out, "layout", s.frame(l, time.Now(), data)); err != nil {
		s.config.Log.Error("a page of the dashboard is not shown", "page", r.URL.Path, "error", err)
		http.Error(w, "this page cannot be shown; the log of the controller says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // whoever asked has gone
}

// news is a page as its viewers are told of it when it changes.
func (s *Server) news(l look, data any) ([]byte, error) {
	var out bytes.Buffer
	err := templates[l.template].ExecuteTemplate(&out, "content", s.frame(l, time.Time{}, data))
	return out.Bytes(), err
}

// fail answers with why something is not shown, or not done. Who has not logged in, or not any more, is asked to.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	events := r.Header.Get("Accept") == eventStream
	f := failed(err)
	if errors.Is(err, errLogin) {
		f = &failure{http.StatusUnauthorized, "Who are you?", "log in first"}
	}
	switch {
	case events:
		http.Error(w, f.Text, f.Code)
	case f.Code == http.StatusUnauthorized && s.config.Secured:
		next := "/"
		if r.Method == http.MethodGet {
			next = r.URL.RequestURI()
		}
		if !errors.Is(err, errLogin) {
			s.setCookie(w, "")
			s.render(w, r, f.Code, look{title: "Log in", template: "login"}, loginPage{within(next), f.Text})
			return
		}
		http.Redirect(w, r, "/login?next="+url.QueryEscape(within(next)), http.StatusSeeOther)
	default:
		l := look{title: f.Title, template: "failure"}
		if f.Code == http.StatusServiceUnavailable && r.Method == http.MethodGet {
			l.section = "failure" // whose news are those of the page that was asked for
		}
		s.render(w, r, f.Code, l, f)
	}
}

// form is something to do, and how large its request may be, in bytes.
type form struct {
	do    func(ctx context.Context, r *http.Request) (next string, err error)
	limit int64
	again page // shows the form once more, with what was refused; nil: a page that says why
}

// mendable is what a page shows that can have a form in it that was refused.
type mendable interface {
	refused(r *http.Request, why string) any
}

// submit does what a form says, with its viewer's credentials, and goes on to a page that shows it.
func (s *Server) submit(w http.ResponseWriter, r *http.Request, f form) {
	token, err := s.token(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, f.limit)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, formError(err))
		return
	}
	next, err := f.do(as(r.Context(), token), r)
	if code := failed(err).Code; f.again != nil && (code == http.StatusBadRequest || code == http.StatusNotFound) {
		s.mend(w, r, token, f.again, err)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// mend shows a page with the form that was refused.
func (s *Server) mend(w http.ResponseWriter, r *http.Request, token string, p page, refused error) {
	l, err := p(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, cancel := s.call(r.Context(), token)
	defer cancel()
	data, err := l.ask(ctx, s.calls)
	m, can := data.(mendable)
	if err != nil || !can {
		s.fail(w, r, refused)
		return
	}
	f := failed(refused)
	s.render(w, r, f.Code, l, m.refused(r, f.Text))
}

func formError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return badRequest("the form cannot be read: %v", err)
}

// path of a page about something that has a name.
func pathTo(parts ...any) string {
	var out strings.Builder
	for _, p := range parts {
		out.WriteString("/" + url.PathEscape(fmt.Sprint(p)))
	}
	return out.String()
}

package dashboard

import (
	"bytes"
	"embed"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

const (
	maxForm  = 4 << 10          // bytes of what a form sends
	maxRules = 64<<10 + maxForm // of one with chaos rules
)

// look is what a page is made of: its place in the navigation, its title, its template, and what it asks for each time.
type look struct {
	section, title, template string
	ask                      asking
}

// page reads what a request is about. An error is the viewer's mistake.
type page func(r *http.Request) (look, error)

// handler has all that there is.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, p := range map[string]page{
		"/{$}":                  s.overview,
		"/jobs":                 s.jobs,
		"/jobs/{job}":           s.job,
		"/jobs/{job}/tasks/{n}": s.task,
		"/workers":              s.workers,
		"/workers/{worker}":     s.worker,
		"/groups":               s.groups,
		"/controllers":          s.controllers,
		"/chaos":                s.chaos,
	} {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, p) })
	}
	for pattern, f := range map[string]form{
		"POST /jobs/{job}/stop": {s.stopJob, maxForm, nil},
		"POST /chaos/enable":    {s.enableRules, maxRules, s.chaos},
		"POST /chaos/disarm":    {s.disarmRule, maxForm, nil},
		"POST /chaos/release":   {s.releaseRule, maxForm, nil},
		"POST /chaos/reset":     {s.resetRules, maxForm, nil},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.submit(w, r, f) })
	}
	mux.HandleFunc("GET /jobs/{job}/tasks/{n}/log", s.followLog)
	mux.HandleFunc("GET /chaos/firings", s.followFirings)
	mux.HandleFunc("GET /login", s.showLogin)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, name, started, bytes.NewReader(content))
		})
	}
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &failure{http.StatusNotFound, "Not found", "there is no page " + strconv.Quote(r.URL.Path)})
	})
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &failure{http.StatusForbidden, "Not from there",
			"this was sent by a page of another origin, and changes nothing; do it on a page of this dashboard"})
	}))
	return s.owned(guarded(s.byAddress(csrf.Handler(mux))))
}

// started is when what is embedded counts as changed.
var started = time.Now()

// guarded tells browsers to keep to themselves what is shown here.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// byAddress refuses, where nobody is asked for a token, requests for a host by a name other than localhost: a page in this
// machine's browser could have its own name lead here.
func (s *Server) byAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !s.config.Secured && host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
			http.Error(w, "the dashboard is shown at an address or at localhost, not at "+strconv.Quote(host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

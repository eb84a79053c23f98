package dashboard

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// maxToken is how long a token may be, in bytes; one that Iris makes is shorter.
const maxToken = 256

// errLogin says that nobody has logged in.
var errLogin = errors.New("not logged in")

// token is what the viewer has logged in with; empty where no credentials are asked for.
func (s *Server) token(r *http.Request) (string, error) {
	if !s.config.Secured {
		return "", nil
	}
	cookie, err := r.Cookie(s.cookie())
	if err != nil || !presentable(cookie.Value) {
		return "", errLogin
	}
	return cookie.Value, nil
}

// presentable reports whether a text can be sent as a token.
func presentable(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// cookie is the name of the cookie that has the token. Cookies of one host are shared by all its ports, so that it names the
// port: two dashboards of one machine keep theirs apart.
func (s *Server) cookie() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	if s.config.TLS != nil {
		return "__Host-iris-" + port
	}
	return "iris-" + port
}

// setCookie keeps a token until the browser is closed; an empty one is forgotten.
func (s *Server) setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{
		Name: s.cookie(), Value: token, Path: "/", HttpOnly: true, Secure: s.config.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// loginPage is what the login page shows.
type loginPage struct{ Next, Wrong string }

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, look{title: "Log in", template: "login"}, loginPage{Next: within(r.URL.Query().Get("next"))})
}

// login tries a token on the controllers, and keeps it if they take it.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, formError(err))
		return
	}
	token, next := strings.TrimSpace(r.PostForm.Get("token")), within(r.PostForm.Get("next"))
	err := status.Error(codes.Unauthenticated, "a token is one line of letters, digits and underscores")
	if presentable(token) {
		ctx, cancel := s.call(r.Context(), token)
		defer cancel()
		_, err = s.calls.cluster.ListControllers(ctx, &pb.ListControllersRequest{})
	}
	switch f := failed(err); {
	case err == nil:
		s.setCookie(w, token)
		http.Redirect(w, r, next, http.StatusSeeOther)
	case f.Code == http.StatusUnauthorized:
		s.render(w, r, f.Code, look{title: "Log in", template: "login"}, loginPage{next, f.Text})
	default:
		s.fail(w, r, f)
	}
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// within is a path of this dashboard to go on to; anything else is its first page.
func within(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

package dashboard_test

import (
	"net"

	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"iris/iris/auth"
	"iris/iris/controller"
	"iris/iris/dashboard"
	"iris/iris/faults"
	"iris/iris/network"
)

// guarded is a bench whose controller wants tokens, which are in a file.
type guarded struct {
	*bench
	tokens string
}

func inGuardedBubble(t *testing.T, test func(*guarded)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &guarded{&bench{T: t, network: &network.Memory{}}, filepath.Join(t.TempDir(), "tokens")}
		b.token(auth.Admin, 0) // there must be a file
		serving, err := auth.Server(auth.Config{Tokens: b.tokens, Log: quiet})
		b.must(err)
		c, err := controller.Start(controller.Config{
			Network: b.network, Address: "controller", ServerOptions: serving, Log: quiet,
			Services: []func(grpc.ServiceRegistrar){func(s grpc.ServiceRegistrar) {
				faults.Register(s, faults.Config{Cluster: "demo", Names: []string{"c-0"}, Log: quiet})
			}},
		})
		b.must(err)
		defer func() { b.must(c.Stop()) }()
		conn, err := network.ToControllers(b.network, "controller")
		b.must(err)
		defer func() { b.must(conn.Close()) }()
		b.browse(dashboard.Config{Conn: conn, Cluster: "demo", Controller: "c-0", Secured: true, Chaos: true})
		b.browser.Jar, err = cookiejar.New(nil)
		b.must(err)
		defer b.leave()
		test(b)
	})
}

// token makes a token that is good for so long; 0: for ever.
func (b *guarded) token(role auth.Role, valid time.Duration) string {
	b.Helper()
	_, secret, err := auth.AddToken(b.tokens, role, "", valid)
	b.must(err)
	time.Sleep(2 * time.Second) // until the controller has seen it
	return secret
}

func (b *guarded) login(token string) answer {
	b.Helper()
	return b.post("/login", url.Values{"token": {token}, "next": {"/jobs?state=FAILED"}})
}

func TestNobodySeesAnythingWithoutAToken(t *testing.T) {
	inGuardedBubble(t, func(b *guarded) {
		for _, path := range []string{"/", "/jobs?name=x", "/jobs/j", "/workers", "/groups", "/controllers", "/chaos"} {
			got := b.get(path)
			if want := "/login?next=" + url.QueryEscape(path); got.code != 303 || got.header.Get("Location") != want {
				t.Errorf("%s is %d and leads to %q", path, got.code, got.header.Get("Location"))
			}
			b.want(b.get(path, "Accept", "text/event-stream"), 401)
		}
		for _, path := range []string{"/jobs/j/tasks/0/log", "/chaos/firings"} {
			b.want(b.get(path, "Accept", "text/event-stream"), 401)
		}
		for _, path := range []string{"/jobs/j/stop", "/chaos/enable", "/chaos/reset"} {
			if got := b.post(path, nil); got.code != 303 || !strings.HasPrefix(got.header.Get("Location"), "/login") {
				t.Errorf("to post to %s is %d", path, got.code)
			}
		}
		b.want(b.get("/login?next=/jobs"), 200, `name="next" value="/jobs"`, `type="password"`)
		for _, elsewhere := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/%09/evil.example"} {
			b.want(b.get("/login?next="+elsewhere), 200, `name="next" value="/"`)
		}
	})
}

func TestATokenThatIsNotTakenIsNotKept(t *testing.T) {
	inGuardedBubble(t, func(b *guarded) {
		soon := b.token(auth.User, time.Minute)
		time.Sleep(time.Minute)
		for token, why := range map[string]string{
			"": "one line of letters", "two words": "one line of letters", strings.Repeat("x", 300): "one line of letters",
			"iris_user_mistyped": "is not known here", soon: "expired at",
		} {
			got := b.login(token)
			b.want(got, 401, why)
			if token != "" && strings.Contains(got.text, token) {
				t.Errorf("the page has the token in it")
			}
			if kept := got.header.Get("Set-Cookie"); kept != "" {
				t.Errorf("%s is kept: %s", token, kept)
			}
		}
		b.want(b.login(b.token(auth.Worker, 0)), 403, "role worker may not call")
	})
}

func TestAViewerSeesWhatItsRoleMay(t *testing.T) {
	inGuardedBubble(t, func(b *guarded) {
		got := b.login(b.token(auth.User, 0))
		if got.code != 303 || got.header.Get("Location") != "/jobs?state=FAILED" {
			t.Errorf("to log in is %d and leads to %q", got.code, got.header.Get("Location"))
		}
		for _, want := range []string{"iris-7080=iris_user_", "HttpOnly", "SameSite=Strict", "Path=/"} {
			if cookie := got.header.Get("Set-Cookie"); !strings.Contains(cookie, want) {
				t.Errorf("the cookie is %s, without %s", cookie, want)
			}
		}
		for _, path := range []string{"/", "/jobs", "/workers", "/groups", "/controllers"} {
			b.want(b.get(path), 200, "Log out", "!iris_user_")
		}
		b.want(b.get("/chaos"), 403, "role user may not call /iris.v1.ChaosService/ListRules; allowed: controller, admin")
		b.want(b.post("/chaos/enable", url.Values{"rules": {"worker.heartbeat"}}), 403, "role user may not call")

		b.want(b.login(b.token(auth.Admin, 0)), 303)
		b.want(b.get("/chaos"), 200, "None is armed")

		if got := b.post("/logout", nil); got.code != 303 || got.header.Get("Location") != "/login" {
			t.Errorf("to log out is %d and leads to %q", got.code, got.header.Get("Location"))
		}
		b.want(b.get("/jobs"), 303)
	})
}

func TestAViewerWhoseTokenEndsIsAskedForAnother(t *testing.T) {
	inGuardedBubble(t, func(b *guarded) {
		b.want(b.login(b.token(auth.User, time.Minute)), 303)
		s := b.follow("/jobs")
		defer s.close()
		s.until("page", "No job")
		s.until("reload", "expired at")
		got := b.get("/jobs")
		b.want(got, 401, "expired at", `value="/jobs"`)
		b.want(b.get("/jobs"), 303) // it is forgotten
	})
}

// What one credential may see is not shown to another that follows the same page.
func TestFollowersShareWhatTheySeeWithTheirOwnCredentialAlone(t *testing.T) {
	inGuardedBubble(t, func(b *guarded) {
		b.want(b.login(b.token(auth.Admin, 0)), 303)
		admin := b.follow("/chaos")
		defer admin.close()
		admin.until("page", "None is armed")
		b.want(b.login(b.token(auth.User, 0)), 303)
		user := b.follow("/chaos")
		defer user.close()
		if name, data := user.next(); name != "reload" {
			t.Errorf("a user is told %s %s", name, data)
		}
	})
}

func TestAListenerThatOthersReachNeedsTokensAndTLS(t *testing.T) {
	for name, c := range map[string]struct {
		config dashboard.Config
		want   string
	}{
		"open":         {dashboard.Config{Address: "0.0.0.0:0"}, "could stop every job"},
		"in the clear": {dashboard.Config{Address: "0.0.0.0:0", Secured: true}, "would travel in the clear"},
		"taken":        {dashboard.Config{Address: taken(t)}, "address already in use"},
	} {
		s, err := dashboard.Serve(c.config)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := dashboard.Serve(dashboard.Config{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("by default it is at %s", s.URL())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// taken is an address that somebody listens at.
func taken(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

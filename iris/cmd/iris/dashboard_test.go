package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// dashboardAt is where a controller says that its dashboard is.
func (p *process) dashboardAt() string {
	p.t.Helper()
	line := p.err.until(p.t, `dashboard is served" address=https?://127\.0\.0\.1:[0-9]+/`)
	_, address, _ := strings.Cut(line, "address=")
	return address
}

func TestAControllerShowsItsDashboard(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0", "--dashboard-listen", "127.0.0.1:0")
	address := c.ready()
	s.with("IRIS_CONTROLLER="+address).run("job", "run", "--no-wait", "--id", "waits", "--", "true")
	page := strings.TrimSuffix(strings.TrimPrefix(c.dashboardAt(), "http://"), "/")
	if code, text := shown(t, page, "/"); code != 200 || !strings.Contains(text, "job waits") {
		t.Errorf("its first page is %d\n%s", code, text)
	}
	if code, text := shown(t, page, "/chaos"); code != 409 || !strings.Contains(text, "--chaos") {
		t.Errorf("without --chaos the page of chaos is %d\n%s", code, text)
	}
	c.ends(syscall.SIGTERM)
}

func TestADashboardAsksForATokenWhereTheControllerDoes(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	secrets := filepath.Join(s.home, "secrets")
	s.run("auth", "init", "--dir", secrets, "--host", "127.0.0.1")
	file := func(name string) string { return filepath.Join(secrets, name) }
	token := strings.TrimSpace(s.run("auth", "token", "--dir", secrets, "user", "--name", "ann").out)
	c := s.start("controller", "--ephemeral", "--listen", "127.0.0.1:0", "--dashboard-listen", "127.0.0.1:0", "--ca", file("ca.pem"),
		"--cert", file("controller.pem"), "--key", file("controller-key.pem"), "--tokens-file", file("tokens"))
	c.ready()
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(file("ca.pem"))
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no authority", err)
	}
	browser := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer browser.CloseIdleConnections()
	page := c.dashboardAt()
	ask := func(r *http.Request, err error) (*http.Response, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		response, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(text)
	}
	if got, _ := ask(http.NewRequestWithContext(t.Context(), http.MethodGet, page+"jobs", nil)); got.StatusCode != http.StatusSeeOther {
		t.Errorf("without a token the page is %s", got.Status)
	}
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	login, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page+"login", form)
	if err == nil {
		login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	got, text := ask(login, err)
	if got.StatusCode != http.StatusSeeOther || len(got.Cookies()) != 1 || !got.Cookies()[0].Secure || got.ProtoMajor != 2 {
		t.Fatalf("to log in is %s over %s, with %v\n%s", got.Status, got.Proto, got.Cookies(), text)
	}
	jobs, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page+"jobs", nil)
	if err == nil {
		jobs.AddCookie(got.Cookies()[0])
	}
	if got, text := ask(jobs, err); got.StatusCode != http.StatusOK || !strings.Contains(text, "No job has been launched") {
		t.Errorf("with a token the page is %s\n%s", got.Status, text)
	}
	c.ends(syscall.SIGTERM)
}

func TestADashboardThatNobodyCouldOrAnybodyCouldUseIsRefused(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	secrets := filepath.Join(s.home, "secrets")
	s.run("auth", "init", "--dir", secrets, "--host", "127.0.0.1")
	certificate := []string{"--ca", filepath.Join(secrets, "ca.pem"), "--cert", filepath.Join(secrets, "controller.pem"),
		"--key", filepath.Join(secrets, "controller-key.pem")}
	controller := []string{"controller", "--ephemeral", "--listen", "127.0.0.1:0"}
	if got := s.run(append(append(controller, "--dashboard-listen", "127.0.0.1:0"), certificate...)...); got.code != exitUsage ||
		!strings.Contains(got.err, "give --tokens-file") {
		t.Errorf("without tokens: exit code %d\n%s", got.code, got.err)
	}
	if got := s.run(append(controller, "--dashboard-listen", "0.0.0.0:0")...); got.code != exitError ||
		!strings.Contains(got.err, "whoever reaches it could stop every job") {
		t.Errorf("open to all: exit code %d\n%s", got.code, got.err)
	}
}

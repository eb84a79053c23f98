package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/client"
	"iris/iris/dashboard"
	pb "iris/iris/proto"
)

func TestEachPageShowsWhatIsThere(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.over(b.launch("said", "say", "hello"))
		b.over(b.submit(client.Spec{
			ID: "failed", Name: "failed", Entrypoint: client.Function("fail", "no luck"), MaxRetriesFailure: client.Limit(1),
			Environment: map[string]string{"KEY": "secret-value"}, Timeout: time.Hour,
		}))
		b.submit(client.Spec{ID: "many", Name: "many", Entrypoint: client.Function("tick"), Replicas: 120})
		b.submit(client.Spec{ID: "huge", Name: "huge", Entrypoint: client.Function("say"), CPU: 64})
		synctest.Wait()
		for path, wants := range map[string][]string{
			"/":                              {"job failed", "no luck", "job huge", "needs 64 CPU", "8 CPU of 8 CPU taken", "c-0", "FAILED <b>1</b>", "ASSIGNED"},
			"/jobs":                          {`href="/jobs/said"`, "1 SUCCEEDED", "All <b>4</b>", "8 RUNNING", "112 PENDING"},
			"/jobs?state=FAILED":             {`href="/jobs/failed"`, `!href="/jobs/said"`},
			"/jobs?name=sa":                  {`href="/jobs/said"`, `!href="/jobs/failed"`},
			"/jobs?name=nobody":              {"None of 4 jobs is like that"},
			"/jobs/said":                     {"function say hello", "1 CPU, 1 GiB", "!Stop this job", `data-lines="/jobs/said/tasks/0/log"`},
			"/jobs/failed":                   {"no luck", "2 attempts failed", "tried again 1 time,", "KEY", "!secret-value", "1h0m for an attempt"},
			"/jobs/many":                     {"Stop this job", "needs 1 CPU", "Further", `id="task-49"`, `!id="task-50"`},
			"/jobs/many?from=100":            {`id="task-100"`, "From the first", "!Further"},
			"/jobs/many?state=RUNNING":       {`id="task-7"`, `!id="task-8"`},
			"/jobs/failed/tasks/0":           {"2 attempts; 2 failed", `href="/jobs/failed/tasks/0?attempt=1"`, "the last attempt"},
			"/jobs/failed/tasks/0?attempt=0": {"Log of attempt 0", `data-lines="/jobs/failed/tasks/0/log?attempt=0"`},
			"/workers":                       {"2 live", "w-0", "w-1", "4 CPU of 4 CPU", "Lost at the earliest"},
			"/workers?name=1":                {"w-1", `!href="/workers/w-0"`},
			"/workers?page=3":                {"beyond the last one, 1"},
			"/workers/w-0":                   {"slice=cpu-0", `href="/jobs/many/tasks/0"`, "REGISTERED", "Was lost", "0 times"},
			"/groups":                        {"There are none"},
			"/controllers":                   {"c-0", "leads", "this one"},
			"/chaos":                         {"worker.heartbeat", "None is armed", "Switch on"},
		} {
			got := b.get(path)
			b.want(got, 200, append(wants, `<a class="skip"`, `<main id="main"`, "!ZgotmplZ")...)
			if size := len(got.text) + len(b.get("/style.css").text) + len(b.get("/app.js").text); size > 100<<10 {
				t.Errorf("%s weighs %d bytes with what it loads", path, size)
			}
			for _, outside := range []string{"http:", "https:", "style=", "<style", "javascript:", "onclick"} {
				if strings.Contains(got.text, outside) {
					t.Errorf("%s has %q in it", path, outside)
				}
			}
			policy := got.header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("the policy of %s is %q, without %s", path, policy, want)
				}
			}
			if kept := got.header.Get("Cache-Control"); kept != "no-store" {
				t.Errorf("%s may be kept: %q", path, kept)
			}
		}
	})
}

func TestJobsAreReadPageByPageTheNewestFirst(t *testing.T) {
	inBubble(t, func(b *bench) {
		for i := range 120 {
			b.launch(fmt.Sprintf("j-%03d", i), "say")
		}
		synctest.Wait()
		b.want(b.get("/jobs"), 200, `"/jobs/j-119"`, `"/jobs/j-070"`, `!"/jobs/j-069"`, "!To the newest")
		next := hrefBefore(t, b.get("/jobs").text, ` rel="next">Older`)
		got := b.get(next)
		b.want(got, 200, `"/jobs/j-069"`, `"/jobs/j-020"`, `!"/jobs/j-019"`, `!"/jobs/j-070"`, "To the newest")
		b.want(b.get(hrefBefore(t, got.text, ` rel="next">Older`)), 200, `"/jobs/j-019"`, `"/jobs/j-000"`, "!Older")
		b.want(b.get("/jobs?order=oldest"), 200, `"/jobs/j-000"`, `"/jobs/j-049"`, `!"/jobs/j-050"`, "Newer")
	})
}

// hrefBefore is where a link leads that goes on with a text.
func hrefBefore(t *testing.T, page, text string) string {
	t.Helper()
	before, _, found := strings.Cut(page, text)
	if !found {
		t.Fatalf("the page has no link with %q:\n%s", text, page)
	}
	href := before[strings.LastIndex(before, `href="`)+len(`href="`):]
	return strings.ReplaceAll(strings.TrimSuffix(href, `"`), "&amp;", "&")
}

// What users and programs call things, and what they print, is text and nothing else.
func TestNamesAndTextsAreNoMarkup(t *testing.T) {
	inBubble(t, func(b *bench) {
		const hostile = `"><img src=x onerror=alert(1)><script>'` + "\u202e`&amp;{{.}}"
		job := b.submit(client.Spec{ID: "j", Name: hostile, Entrypoint: client.Function("fail", hostile),
			Environment: map[string]string{`<i>`: "x"}})
		b.over(job)
		b.submit(client.Spec{ID: "w", Name: "w", Entrypoint: client.Function("say"), Constraints: []*pb.Constraint{
			{Key: "<u>", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: hostile}}})
		synctest.Wait()
		for _, path := range []string{
			"/", "/jobs", "/jobs/j", "/jobs/w", "/jobs/j/tasks/0", "/workers/w-0", "/jobs?name=" + `%22%3E%3Cscript%3E`,
			"/jobs/%3Cscript%3E", "/%3Cscript%3E", "/jobs?state=%3Cscript%3E", "/jobs/j/tasks/%3Cscript%3E",
		} {
			text := b.get(path).text
			for _, raw := range []string{"<img src=x", "<script>", "<i>", "<u>"} {
				if strings.Contains(text, raw) {
					t.Errorf("%s has %s in it, as it is:\n%s", path, raw, text)
				}
			}
		}
		b.want(b.get("/jobs/j"), 200, "&lt;img src=x onerror=alert(1)&gt;", "<bdi>&#34;&gt;")
	})
}

func TestAWorkerThatIsLostComesLastAndGrey(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.must(b.cluster.Kill("w-0"))
		time.Sleep(31 * time.Second)
		b.want(b.get("/workers"), 200, "SILENT", "1 live, 1 silent")
		b.want(b.get("/"), 200, "worker w-0", "it misses its heartbeats")
		time.Sleep(30 * time.Second)
		got := b.get("/workers")
		b.want(got, 200, "1 live, 1 lost", `id="worker-w-0" class="gone"`, "no heartbeat for 60s")
		if strings.Index(got.text, "worker-w-0") < strings.Index(got.text, "worker-w-1") {
			t.Error("the one that is lost comes first")
		}
		b.want(b.get("/"), 200, "LOST", "no heartbeat for 60s", "1 <small>live, 1 lost")
		b.want(b.get("/workers/w-0"), 200, "no heartbeat for 60s", "Was lost", "1 time")
	})
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.launch("j", "tick")
		synctest.Wait()
		for path, want := range map[string]struct {
			code int
			text string
		}{
			"/jobs/none":                         {404, `job &#34;none&#34; is unknown`},
			"/jobs/none/tasks/0":                 {404, "unknown"},
			"/jobs/j/tasks/9":                    {404, "has no task 9"},
			"/jobs/j/tasks/-1":                   {400, "it must be a number from 0"},
			"/jobs/j/tasks/x":                    {400, "it must be a number"},
			"/jobs/j/tasks/0?attempt=x":          {400, "it must be a number"},
			"/jobs/j/tasks/0/log?attempt=7":      {404, "has no attempt 7"},
			"/jobs/j/tasks/99999999999999999999": {400, "it must be a number"},
			"/jobs?from=x":                       {400, "page_token"},
			"/jobs?from=-5":                      {400, "page_token"},
			"/jobs?state=BROKEN":                 {400, "there is no state &#34;BROKEN&#34;; there are PENDING"},
			"/jobs?order=random":                 {400, "must be oldest"},
			"/jobs/j?from=99x":                   {400, "page_token"},
			"/jobs/j?state=x":                    {400, "there is no state"},
			"/workers?page=0":                    {400, "it must be a number from 1"},
			"/workers?page=9999999999":           {400, "it must be a number"},
			"/workers/w-9":                       {404, "worker &#34;w-9&#34; is unknown"},
			"/groups?page=x":                     {400, "it must be a number"},
			"/nowhere":                           {404, "there is no page"},
			"/jobs/j/stop":                       {404, "there is no page"}, // it is for POST alone
		} {
			got := b.get(path)
			b.want(got, want.code, want.text)
			if !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s has no policy", path)
			}
		}
		if got := b.request("DELETE", "/jobs/j", ""); got.code != 405 {
			t.Errorf("to delete a page is %d", got.code)
		}
		if got := b.post("/jobs", nil); got.code != 405 {
			t.Errorf("to post to a list is %d", got.code)
		}
		if got := b.get("/", "Host", "evil.example"); got.code != 403 {
			t.Errorf("by the name of another host it is %d", got.code)
		}
		if s, err := b.client.Job("j").Status(b.Context()); err != nil || s.State != pb.JobState_JOB_STATE_RUNNING {
			t.Errorf("the job is %v, %v", s, err)
		}
	})
}

func TestAControllerThatDoesNotLeadShowsWhatTheLeaderKnows(t *testing.T) {
	inBubbleOf(t, 3, func(b *bench) {
		b.launch("j", "tick")
		follower := "c-0"
		if b.cluster.Leader() == follower {
			follower = "c-1"
		}
		conn, err := b.cluster.ConnectTo(follower)
		b.must(err)
		defer func() { b.must(conn.Close()) }()
		b.leave()
		leads := false
		b.browse(dashboard.Config{Conn: conn.Conn(), Cluster: "demo", Controller: follower, Leads: func() bool { return leads }})
		const notice = "</bdi> does not lead now"
		for _, path := range []string{"/", "/jobs", "/jobs/j", "/workers", "/controllers"} {
			b.want(b.get(path), 200, notice, `href="/controllers"`)
		}
		b.want(b.get("/jobs"), 200, `href="/jobs/j"`)
		if got := b.post("/jobs/j/stop", nil); got.code != 303 {
			t.Errorf("to stop a job is %d", got.code)
		}
		leads = true
		b.want(b.get("/jobs"), 200, "!"+notice)
	})
}

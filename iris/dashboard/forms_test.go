package dashboard_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	pb "iris/iris/proto"
)

func TestAJobIsStopped(t *testing.T) {
	inBubble(t, func(b *bench) {
		job := b.launch("j", "tick")
		synctest.Wait()
		got := b.post("/jobs/j/stop", nil)
		if got.code != 303 || got.header.Get("Location") != "/jobs/j" {
			t.Errorf("stopping is answered with %d to %q", got.code, got.header.Get("Location"))
		}
		if s, err := job.Wait(b.Context()); err != nil || s.State != pb.JobState_JOB_STATE_KILLED {
			t.Errorf("the job is %v, %v", s, err)
		}
		b.want(b.post("/jobs/none/stop", nil), 404, "unknown")
	})
}

func TestAPostFromElsewhereChangesNothing(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.launch("j", "tick")
		synctest.Wait()
		for _, path := range []string{"/jobs/j/stop", "/chaos/enable", "/chaos/reset", "/login", "/logout"} {
			form := url.Values{"rules": {"worker.heartbeat"}}.Encode()
			for _, from := range [][]string{
				{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"},
				{"Origin", "http://127.0.0.1:9999"}, {"Origin", "null"},
			} {
				b.want(b.request("POST", path, form, from...), 403, "another origin")
			}
		}
		if s, err := b.client.Job("j").Status(b.Context()); err != nil || s.State != pb.JobState_JOB_STATE_RUNNING {
			t.Errorf("the job is %v, %v", s, err)
		}
		b.want(b.get("/chaos"), 200, "None is armed")
	})
}

func TestChaosIsSwitchedOnAndOff(t *testing.T) {
	inBubble(t, func(b *bench) {
		const text = `worker.create_container[job=fragile] max 1 err "no <container> today"`
		if got := b.post("/chaos/enable", url.Values{"rules": {text}}); got.code != 303 {
			t.Fatalf("the rule is answered with %d:\n%s", got.code, got.text)
		}
		defer b.post("/chaos/reset", nil)
		b.want(b.get("/chaos"), 200, "armed", "worker.create_container", "never reached")
		b.want(b.get("/"), 200, "1 rule armed")
		b.over(b.launch("fragile", "say"))
		b.want(b.get("/jobs/fragile"), 200, "no &lt;container&gt; today")
		got := b.get("/chaos")
		b.want(got, 200, `data-l="Fired">1<`)

		firings := b.follow("/chaos/firings")
		firings.until("lines", "worker.create_container w-0: err")
		firings.close()

		_, after, _ := strings.Cut(got.text, `name="id" value="`)
		id, _, _ := strings.Cut(after, `"`)
		if got := b.post("/chaos/disarm", url.Values{"id": {id}}); got.code != 303 {
			t.Errorf("to switch it off is answered with %d", got.code)
		}
		b.want(b.get("/chaos"), 200, `class="gone"`, "off")
		b.want(b.post("/chaos/disarm", url.Values{"id": {"none"}}), 404, "none")
		if got := b.post("/chaos/reset", nil); got.code != 303 {
			t.Errorf("to reset is answered with %d", got.code)
		}
		b.want(b.get("/chaos"), 200, "None is armed")
	})
}

func TestARuleThatIsWrongIsShownToBeMended(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.post("/chaos/enable", url.Values{"rules": {"worker.hartbeat <b>"}, "targets": {"w-0"}}), 400,
			"worker.heartbeat", ">worker.hartbeat &lt;b&gt;</textarea>", `value="w-0"`, "None is armed")
		b.want(b.post("/chaos/enable", url.Values{"rules": {"worker.heartbeat"}, "targets": {"w-9"}}), 404, "w-9")
		b.want(b.get("/chaos"), 200, "None is armed")
	})
}

func TestAFormThatIsTooLargeIsNotRead(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.post("/chaos/enable", url.Values{"rules": {strings.Repeat("x", 80<<10)}}), 413, "larger than")
		b.want(b.post("/chaos/disarm", url.Values{"id": {strings.Repeat("x", 5<<10)}}), 413, "larger than")
		b.want(b.post("/jobs/j/stop", url.Values{"x": {strings.Repeat("x", 5<<10)}}), 413, "larger than")
		b.want(b.request("POST", "/chaos/enable", "rules=%zz", "Sec-Fetch-Site", "same-origin"), 400, "cannot be read")
	})
}

package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/types/known/timestamppb"

	. "iris/acceptance"
	"iris/acceptance/browser"
	"iris/acceptance/timeline"
	pb "iris/iris/proto"
)

// crowd is the story of so many attempts on a hundred workers, each with its events and its calls.
func crowd(attempts int) timeline.Timeline {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	f := timeline.Facts{Began: began, Ended: began.Add(time.Hour), Jobs: map[string]string{"j": "crowd"}, Controllers: []string{"c-0"}}
	tell := func(at time.Duration, kind pb.EventKind, change func(*pb.Event)) {
		e := &pb.Event{At: timestamppb.New(began.Add(at)), Kind: kind}
		change(e)
		f.Events = append(f.Events, e)
	}
	tell(0, pb.EventKind_EVENT_KIND_LEADS, func(e *pb.Event) { e.Text = "c-0" })
	const workers = 100
	for w := range workers {
		name := fmt.Sprintf("w-%d", w)
		tell(0, pb.EventKind_EVENT_KIND_REGISTERED, func(e *pb.Event) { e.WorkerId = name })
		f.Beats = append(f.Beats, timeline.Train{Worker: name, First: began, Every: 10 * time.Second, Count: 360})
	}
	tell(0, pb.EventKind_EVENT_KIND_JOB, func(e *pb.Event) { e.JobId, e.State = "j", pb.TaskState_TASK_STATE_PENDING })
	for i := range attempts {
		worker, task, first := fmt.Sprintf("w-%d", i%workers), int32(i), int32(0)
		at := time.Duration(i/workers) * time.Hour / time.Duration(attempts/workers+1)
		moved := func(after time.Duration, state pb.TaskState, why string) {
			tell(at+after, pb.EventKind_EVENT_KIND_ATTEMPT, func(e *pb.Event) {
				e.JobId, e.TaskIndex, e.AttemptId, e.WorkerId, e.State, e.Text = "j", &task, &first, worker, state, why
			})
		}
		moved(0, pb.TaskState_TASK_STATE_ASSIGNED, "")
		moved(time.Second, pb.TaskState_TASK_STATE_BUILDING, "")
		moved(4*time.Second, pb.TaskState_TASK_STATE_RUNNING, "")
		if i%10 == 0 {
			moved(20*time.Second, pb.TaskState_TASK_STATE_FAILED, "exit code 3")
		} else {
			moved(25*time.Second, pb.TaskState_TASK_STATE_SUCCEEDED, "")
		}
		sent := began.Add(at)
		f.Calls = append(f.Calls, timeline.Call{Method: "RunTask", From: "c-0", To: worker, About: []timeline.Attempt{{Job: "j", Task: task}},
			Sent: sent, Arrived: sent, Ended: sent, Given: "OK", Got: "OK"})
	}
	t := timeline.Draw(f)
	t.Title = "crowd: many attempts"
	return t
}

// written is the URL of a page of these timelines, each a scenario.
func written(timelines ...timeline.Timeline) string {
	GinkgoHelper()
	run := timeline.Run{Title: "Specs: made up", Repeat: "make browser"}
	for i, t := range timelines {
		s := timeline.Scenario{ID: fmt.Sprintf("scenario-%d", i), Name: fmt.Sprintf("scenario_%d", i), Text: "shows something", Mode: "virtual",
			Specs: 1, Lasted: t.Lasts, Timelines: []timeline.Timeline{t}}
		if t.Failure != "" {
			s.Failed = 1
		}
		run.Scenarios = append(run.Scenarios, s)
	}
	dir := GinkgoT().TempDir()
	Expect(timeline.Write(dir, run, "index")).To(Succeed())
	return browser.File(filepath.Join(dir, "index.html"))
}

var _ = Describe("the page of a run", Label(Browser), func() {
	It("page_search: the table finds scenarios by their words and by their verdict", func() {
		good, bad := crowd(3), crowd(3)
		bad.Failure = "FAILED: Expected <int>: 1 to equal <int>: 2"
		page := browser.Open(GinkgoTB(), written(good, bad, good), browser.Desktop)
		shown := `[...document.querySelectorAll("#scenarios tbody tr:not([hidden]) a")].map(a => a.textContent).join(" ")`
		Expect(browser.Eval[string](page, shown)).To(Equal("scenario_0 scenario_1 scenario_2"))
		Expect(browser.Eval[string](page, `document.querySelector("#outcome").textContent`)).To(Equal("1 of 3 scenarios failed"))
		set := func(id, value string) {
			browser.Eval[bool](page, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q;
				return e.dispatchEvent(new Event("input", { bubbles: true })) })()`, id, value))
		}
		set("verdict", "failed")
		Expect(browser.Eval[string](page, shown)).To(Equal("scenario_1"))
		set("verdict", "")
		set("search", "SCENARIO_2 something")
		Expect(browser.Eval[string](page, shown)).To(Equal("scenario_2"))
	})

	It("page_link: an address with a scenario's name shows its story, the failure and the command that repeats it", func() {
		bad := crowd(3)
		bad.Failure, bad.Repeat = "FAILED: Expected <int>: 1 to equal <int>: 2", `go tool ginkgo --focus="crowd"`
		page := browser.Open(GinkgoTB(), written(crowd(1), bad)+"#scenario-1", browser.Phone)
		Expect(browser.Eval[string](page, `document.querySelector("#failure").textContent`)).To(Equal(bad.Failure))
		Expect(browser.Eval[string](page, `document.querySelector("#repeat code").textContent`)).To(Equal(bad.Repeat))
		Expect(browser.Eval[string](page, `document.querySelector("#jobs tbody").textContent`)).To(ContainSubstring("crowd"))
		Expect(browser.Eval[int](page, `document.documentElement.scrollWidth`)).To(BeNumerically("<=", browser.Phone.Width),
			"nothing is wider than a phone")
	})

	It("page_keys: keys go from event to event, zoom, and show all again", func() {
		page := browser.Open(GinkgoTB(), written(crowd(20))+"#scenario-0", browser.Desktop)
		press := func(key string) {
			browser.Eval[bool](page, fmt.Sprintf(`document.getElementById("canvas").dispatchEvent(new KeyboardEvent("keydown", { key: %q }))`, key))
		}
		detail := `document.querySelector("#detail b")?.textContent`
		press("ArrowDown")
		Expect(browser.Eval[string](page, detail)).To(Equal("controller c-0 leads"))
		press("ArrowDown")
		Expect(browser.Eval[string](page, detail)).To(Equal("worker w-0 registers"))
		Expect(browser.Eval[string](page, `document.querySelector("#events tr.on").cells[2].textContent`)).To(ContainSubstring("worker w-0 registers"))
		seen := `story.layout.to - story.layout.from`
		all := browser.Eval[float64](page, seen)
		press("+")
		Expect(browser.Eval[float64](page, seen)).To(BeNumerically("<", all))
		press("0")
		Expect(browser.Eval[float64](page, seen)).To(Equal(all))
	})

	It("page_marks: what is pointed at is described", func() {
		page := browser.Open(GinkgoTB(), written(crowd(20))+"#scenario-0", browser.Desktop)
		page.Wait(`story.layout.width > 0`)
		at := func(x, y string) string {
			browser.Eval[bool](page, fmt.Sprintf(`(() => { const c = document.getElementById("canvas"), box = c.getBoundingClientRect(), l = story.layout;
				return c.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + %s, clientY: box.top + axis + %s })) })()`, x, y))
			return browser.Eval[string](page, `document.getElementById("detail").textContent`)
		}
		Expect(at(`l.x(10000)`, `l.lanes[2].y + strip + 5`)).To(And(
			ContainSubstring("crowd/0: attempt 0 FAILED: exit code 3"), ContainSubstring("buildingat 1s"), ContainSubstring("endedat 20s")))
		Expect(at(`l.x(0)`, `l.lanes[2].y + markY`)).To(ContainSubstring("worker w-0 registers"))
		Expect(at(`l.x(2e6)`, `l.lanes[2].y + strip + 5`)).To(ContainSubstring("w-0 LIVE"))
	})

	It("page_crowd: a timeline of 10 000 attempts is there within a second, and is zoomed and moved without a stutter", func() {
		url := written(crowd(10_000))
		info, err := os.Stat(url[len("file://"):])
		Expect(err).NotTo(HaveOccurred())
		page := browser.Open(GinkgoTB(), url+"#scenario-0", browser.Desktop)
		page.Wait(`story.first > 0`)
		paint := browser.Eval[float64](page, `story.first`)
		// Each frame changes the view and is drawn at once, so that what is measured is all the work there is.
		frames := browser.Eval[[]float64](page, `(async () => {
			const times = [], l = story.layout, middle = (l.width + l.gutter) / 2;
			for (let i = 0; i < 120; i++) {
				await new Promise(requestAnimationFrame);
				const began = performance.now();
				if (i < 40) l.zoom(0.9, middle);
				else if (i < 80) l.pan((l.to - l.from) / 40);
				else document.getElementById("lanes").scrollTop += 100;
				if (i === 80) l.fit();
				story.draw();
				times.push(performance.now() - began);
			}
			return times.sort((a, b) => a - b);
		})()`)
		worst, usual := frames[len(frames)*95/100], frames[len(frames)/2]
		AddReportEntry("page_crowd", fmt.Sprintf("%.1f MB; drawn after %.0f ms; a frame takes %.1f ms, 95 of 100 at most %.1f ms",
			float64(info.Size())/1e6, paint, usual, worst))
		Expect(paint).To(BeNumerically("<=", 1000), "milliseconds until the timeline is drawn")
		Expect(usual).To(BeNumerically("<=", 16), "milliseconds of work for a frame")
		Expect(worst).To(BeNumerically("<=", 50), "the same, 95 of 100 times")
	})
})

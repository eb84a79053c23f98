package pages

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc"

	. "iris/acceptance"
	"iris/acceptance/browser"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/dashboard"
	"iris/iris/faults"
	pb "iris/iris/proto"
)

// shown is a cluster on this machine, which lets itself be broken, with its dashboard.
type shown struct {
	*client.Client
	url string
}

// two are workers that are there from the start.
var two = config.Group{Name: "cpu", CPU: 4, Memory: 16 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"here"}}

func show(ctx context.Context) shown {
	GinkgoHelper()
	return showCluster(ctx, config.Cluster{Name: ClusterName(), Groups: []config.Group{two}}, 1)
}

// showCluster has so many controllers, and loses a worker that is silent for two seconds.
func showCluster(ctx context.Context, description config.Cluster, controllers int) shown {
	GinkgoHelper()
	description = cluster.MakeLocalConfig(description)
	description.Controller.WorkerTimeout, description.Worker.HeartbeatInterval = 2*time.Second, 200*time.Millisecond
	log := slog.New(slog.NewTextHandler(GinkgoWriter, nil))
	m, err := cluster.Start(description, cluster.Options{Controllers: controllers, Log: log, Services: []func(grpc.ServiceRegistrar){
		func(s grpc.ServiceRegistrar) {
			faults.Register(s, faults.Config{Cluster: description.Name, Names: []string{"c-0", "controller", "w-0", "w-1"}, Log: log})
		},
	}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(m.Stop)
	Expect(m.Ready(ctx)).To(Succeed())
	c, err := m.Connect()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(c.Close)
	d, err := dashboard.Serve(dashboard.Config{Conn: c.Conn(), Cluster: description.Name, Controller: "c-0", Chaos: true, Log: log})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(d.Close)
	return shown{c, strings.TrimSuffix(d.URL(), "/")}
}

// launch submits a job under its name as its id.
func (s shown) launch(ctx context.Context, id string, replicas int, script string) *client.Job {
	GinkgoHelper()
	job, err := s.Submit(ctx, client.Spec{
		ID: id, Name: id, Entrypoint: client.Command("sh", "-c", script), Replicas: replicas, MaxRetriesFailure: client.Limit(1),
	})
	Expect(err).NotTo(HaveOccurred())
	return job
}

// says is whether an element that a selector finds has a text in it.
func says(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
}

var _ = Describe("the dashboard in a browser", Label(Browser), func() {
	It("dashboard_story: a log is followed, chaos is switched on, the worker goes grey and the job starts again", func(ctx SpecContext) {
		s := show(ctx)
		s.launch(ctx, "train", 1, `i=0; while sleep 0.1; do i=$((i+1)); echo "step $i of <train>"; done`)
		page := browser.Open(GinkgoTB(), s.url, browser.Desktop)
		page.Wait(says(".tabs", "RUNNING"))
		page.Do(chromedp.Click(`a[href="/jobs/train"]`), chromedp.WaitVisible("#lines"))
		page.Wait(says("h1", "RUNNING"))
		page.Wait(says("#lines", "step 5 of <train>"))
		page.Wait(says("#lines", "step 25 of <train>"))
		worker := browser.Eval[string](page, `document.querySelector("#attempt-0 [data-l=Worker]").textContent`)

		page.Do(chromedp.Navigate(s.url+"/chaos"),
			chromedp.SendKeys("#rules", "worker.heartbeat[worker="+worker+"]"), chromedp.Click(".enable button"),
			chromedp.WaitVisible(`main tr[id^="rule-"]`))
		page.Wait(says("main tbody", "armed"))
		page.Wait(says("#lines", "worker.heartbeat"))

		page.Do(chromedp.Navigate(s.url + "/workers"))
		page.Wait(fmt.Sprintf(`document.querySelector("#worker-%s").className == "gone"`, worker))
		page.Wait(says("#worker-"+worker, "no heartbeat for 2s"))

		page.Do(chromedp.Navigate(s.url + "/jobs/train"))
		page.Wait(says("#attempt-0", "WORKER_FAILED"))
		page.Wait(says("#attempt-1", "RUNNING"))
		page.Wait(says("#lines", "step 5 of <train>"))
		Expect(browser.Eval[string](page, `document.querySelector("#attempt-1 [data-l=Worker]").textContent`)).NotTo(Equal(worker))

		page.Do(chromedp.Navigate(s.url+"/chaos"), chromedp.Click(`form[action="/chaos/reset"] button`),
			chromedp.WaitVisible("main td.none"))
		page.Do(chromedp.Navigate(s.url + "/workers"))
		page.Wait(fmt.Sprintf(`document.querySelector("#worker-%s").className == ""`, worker))
	})

	It("dashboard_keyboard: a job is found and stopped without a pointer", func(ctx SpecContext) {
		s := show(ctx)
		s.launch(ctx, "train", 1, `[ $IRIS_ATTEMPT_ID = 0 ] && sleep 4 && exit 1; sleep 60`)
		page := browser.Open(GinkgoTB(), s.url+"/jobs", browser.Desktop)
		page.Wait(says("main", "RUNNING"))
		const focused = `document.activeElement`
		page.Do(chromedp.KeyEvent(kb.Tab))
		Expect(browser.Eval[string](page, focused+".textContent")).To(Equal("Skip to the content"))
		page.Do(chromedp.KeyEvent(kb.Enter))
		page.Wait(focused + `.id == "main"`)
		tabTo := func(what string) {
			GinkgoHelper()
			for range 40 {
				page.Do(chromedp.KeyEvent(kb.Tab))
				if browser.Eval[bool](page, focused+".matches("+fmt.Sprintf("%q", what)+")") {
					Expect(browser.Eval[string](page, `getComputedStyle(document.activeElement).outlineStyle`)).To(Equal("solid"))
					return
				}
			}
			Fail("the Tab key never comes to " + what)
		}
		tabTo("#name")
		page.Do(chromedp.KeyEvent("tr"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`#name[value="tr"]`))
		tabTo(`a[href="/jobs/train"]`)
		page.Do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#lines"))
		page.Wait(says("h1", "RUNNING"))
		tabTo("details.danger summary")
		page.Do(chromedp.KeyEvent(kb.Enter))
		page.Wait(`document.querySelector("details.danger").open`)
		page.Wait(says("#attempt-1", "RUNNING")) // there was news: what was opened stays open, and the focus where it was
		Expect(browser.Eval[bool](page, `document.querySelector("details.danger").open`)).To(BeTrue())
		Expect(browser.Eval[bool](page, `document.activeElement.matches("details.danger summary")`)).To(BeTrue())
		tabTo("button.danger")
		page.Do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("h1 .over"))
		page.Wait(says("h1", "KILLED"))
	})

	It("dashboard_phone: no page is wider than a phone", func(ctx SpecContext) {
		s := show(ctx)
		page := browser.Open(GinkgoTB(), s.url, browser.Phone)
		for _, path := range paths(ctx, s) {
			page.Do(chromedp.Navigate(s.url + path))
			page.Wait(`document.readyState == "complete" && innerWidth == 390`)
			Expect(browser.Eval[int](page, `document.documentElement.scrollWidth`)).To(Equal(390), path)
		}
	})

	It("dashboard_crowd: with 100 000 jobs a page is there within a second, and scrolls smoothly", func(ctx SpecContext) {
		s := show(ctx)
		const jobs = 100_000
		s.crowd(ctx, jobs)
		page := browser.Open(GinkgoTB(), s.url, browser.Desktop)
		var slowest float64
		for _, path := range []string{"/", "/jobs", "/jobs?state=PENDING", "/jobs?name=nothing", "/jobs?order=oldest"} {
			page.Do(chromedp.Navigate(s.url + path))
			page.Wait(`performance.getEntriesByName("first-contentful-paint").length == 1`)
			slowest = max(slowest, browser.Eval[float64](page, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
		}
		Expect(slowest).To(BeNumerically("<", 1000), "ms to the first paint")

		page.Do(chromedp.Navigate(s.url + "/jobs"))
		page.Wait(says(".tabs", fmt.Sprint(jobs)))
		frames := browser.Eval[[]float64](page, `new Promise(done => {
			const times = [];
			let last = 0;
			const step = at => {
				if (last) times.push(at - last);
				last = at;
				scrollBy({top: 20, behavior: "instant"});
				if (times.length < 120) requestAnimationFrame(step); else done(times);
			};
			requestAnimationFrame(step);
		})`)
		slices.Sort(frames)
		usual := frames[len(frames)*9/10]
		AddReportEntry("dashboard_crowd", fmt.Sprintf("first paint: %.0f ms at most; frames while scrolling: nine of ten %.1f ms at most",
			slowest, usual))
		Expect(usual).To(BeNumerically("<", 50), "ms from a frame to the next")
	})
})

// paths is a cluster with something on each page, and the pages.
func paths(ctx context.Context, s shown) []string {
	GinkgoHelper()
	failed := s.launch(ctx, "evaluate-the-model-with-a-rather-long-name-that-goes-on-and-on", 1, "echo '<b>no</b> luck'; exit 3")
	Eventually(ctx, failed.Status).Should(HaveState(FAILED))
	s.launch(ctx, "train", 12, `i=0; while sleep 0.2; do i=$((i+1)); echo "step $i, loss 0.$((1000 - i))"; done`)
	_, err := s.Submit(ctx, client.Spec{ID: "huge", Name: "huge", Entrypoint: client.Command("true"), CPU: 64})
	Expect(err).NotTo(HaveOccurred())
	_, err = faults.Connect(s.Conn()).Enable(ctx, `worker.create_container[job=fragile] max 1 err "no container today"`)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) error {
		_, err := faults.Connect(s.Conn()).Reset(ctx)
		return err
	})
	s.launch(ctx, "fragile", 1, "echo survived")
	return []string{
		"/", "/jobs", "/jobs/train", "/jobs/" + failed.ID, "/jobs/train/tasks/0", "/workers", "/workers/w-0", "/groups", "/controllers",
		"/chaos",
	}
}

// crowd submits many jobs that no worker can run.
func (s shown) crowd(ctx context.Context, n int) {
	GinkgoHelper()
	const hands = 32
	var working sync.WaitGroup
	failed := make(chan error, hands)
	for hand := range hands {
		working.Go(func() {
			for i := hand; i < n; i += hands {
				id := fmt.Sprintf("job-%06d", i)
				_, err := s.RPC().LaunchJob(ctx, &pb.LaunchJobRequest{JobId: id, Spec: &pb.JobSpec{
					Name: id, Entrypoint: client.Command("true"), Resources: &pb.Resources{CpuMillis: 64_000, MemoryBytes: 1},
				}})
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	working.Wait()
	close(failed)
	Expect(<-failed).To(Succeed())
}

package pages

import (
	"path/filepath"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/acceptance/browser"
	"iris/iris/client"
	"iris/iris/config"
	"iris/iris/faults"
)

var _ = Describe("pictures of the dashboard", Label(Screenshots), func() {
	It("screenshots_dashboard: every page, with a job that runs, one that waits, one that failed and a worker that is lost", func(ctx SpecContext) {
		description, err := config.Load("examples/autoscaled.yaml")
		Expect(err).NotTo(HaveOccurred())
		tpu := description.Groups[1]
		tpu.After = nil // no group is asked before it
		fixed := two
		fixed.Name = "fixed"
		description.Name, description.Groups = "demo", []config.Group{fixed, tpu}
		s := showCluster(ctx, description, 3)
		paths(ctx, s)
		_, err = s.Submit(ctx, client.Spec{ID: "pretrain", Name: "pretrain", Replicas: 4, GroupBy: "slice", CPU: 8,
			Entrypoint: client.Command("sleep", "600")})
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, s.Job("pretrain").Status).Should(HaveState(RUNNING))
		_, err = faults.Connect(s.Conn()).Enable(ctx, "worker.heartbeat[worker=w-1]")
		Expect(err).NotTo(HaveOccurred())

		page := browser.Open(GinkgoTB(), s.url+"/workers", browser.Desktop)
		page.Wait(`document.querySelectorAll("tr.gone").length == 1`)
		for _, picture := range []struct{ name, path string }{
			{"overview", "/"}, {"jobs", "/jobs"}, {"job", "/jobs/train"}, {"task", "/jobs/train/tasks/0"},
			{"failed", "/jobs/evaluate-the-model-with-a-rather-long-name-that-goes-on-and-on"}, {"workers", "/workers"}, {"worker", "/workers/w-0"},
			{"groups", "/groups"}, {"controllers", "/controllers"}, {"chaos", "/chaos"},
		} {
			page.Do(chromedp.Navigate(s.url + picture.path))
			page.Wait(`document.body.dataset.seen && (!document.querySelector("#lines") || document.querySelector("#lines").childElementCount > 0)`)
			for suffix, look := range map[string]browser.Look{
				".png": browser.Desktop, "-dark.png": browser.DesktopDark, "-phone.png": browser.Phone,
			} {
				if suffix != ".png" && picture.name != "overview" && picture.name != "task" && picture.name != "workers" {
					continue
				}
				page.Show(look)
				page.Screenshot(filepath.Join("docs", "img", "dashboard-"+picture.name+suffix))
			}
			page.Show(browser.Desktop)
		}
	})
})

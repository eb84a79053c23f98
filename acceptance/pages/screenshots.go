package pages

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/acceptance/browser"
)

// img is where the pictures in the documentation are. Specs run in the repository's directory.
const img = "docs/img"

var _ = Describe("pictures", Label(Screenshots), func() {
	It("screenshots_report: the page of a run of the chaos scenarios", func() {
		const report = "reports/chaos.html"
		_, err := os.Stat(report)
		Expect(err).NotTo(HaveOccurred(), "make chaos writes it")
		page := browser.Open(GinkgoTB(), browser.File(report), browser.Desktop)
		for _, view := range []struct {
			name, hash string
			look       browser.Look
		}{
			{"report-overview", "", browser.Desktop},
			{"report-timeline", "#dispatch_permanent_failure", browser.Desktop},
			{"report-gang", "#vm_preempted_gang", browser.Desktop},
			{"report-phone", "#heartbeat_permanent_failure", browser.Phone},
		} {
			for suffix, dark := range map[string]bool{".png": false, "-dark.png": true} {
				view.look.Dark = dark
				page.Show(view.look)
				browser.Eval[bool](page, `(location.hash = "`+view.hash+`", true)`)
				page.Wait(`document.title.startsWith(location.hash.slice(1) || run.title)`)
				page.Screenshot(filepath.Join(img, view.name+suffix))
			}
		}
	})
})

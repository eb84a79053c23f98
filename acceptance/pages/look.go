package pages

import (
	"image"
	_ "image/png" // decodes screenshots
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/acceptance/browser"
)

var _ = Describe("a page in a browser", Label(Browser), func() {
	const text = `<!doctype html><meta name=viewport content="width=device-width"><p id=p>hello</p>
<style>p { color: rgb(1, 2, 3) } @media (prefers-color-scheme: dark) { p { color: rgb(4, 5, 6) } }</style>`
	const color = `getComputedStyle(document.getElementById("p")).color`

	It("page_look: is shown as its look says", func() {
		dir := GinkgoT().TempDir()
		path := filepath.Join(dir, "page.html")
		Expect(os.WriteFile(path, []byte(text), 0o644)).To(Succeed())
		page := browser.Open(GinkgoTB(), browser.File(path), browser.DesktopDark)
		Expect(browser.Eval[string](page, color)).To(Equal("rgb(4, 5, 6)"))

		page.Show(browser.Phone)
		page.Wait(`innerWidth == 390`)
		Expect(browser.Eval[string](page, color)).To(Equal("rgb(1, 2, 3)"))
		page.Screenshot(filepath.Join(dir, "new", "phone.png"))
		file, err := os.Open(filepath.Join(dir, "new", "phone.png"))
		Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		picture, _, err := image.DecodeConfig(file)
		Expect(err).NotTo(HaveOccurred())
		Expect([]int{picture.Width, picture.Height}).To(Equal([]int{2 * 390, 2 * 844}))
	})
})

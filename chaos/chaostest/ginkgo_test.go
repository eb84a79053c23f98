package chaostest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"iris/chaos"
	"iris/chaos/chaostest"
)

var (
	_ chaostest.TB = ginkgo.FullGinkgoTInterface(nil)
	_ chaostest.TB = testing.TB(nil)
)

// inside is a variable that has the test below run specs, some of which fail: in a process of its own, as Ginkgo runs
// them once in each.
const inside = "CHAOSTEST_INSIDE_GINKGO"

var _ = ginkgo.Describe("a shop", func() {
	ginkgo.It("loses an order, as its rule says", func() {
		lab := chaostest.New(ginkgo.GinkgoT())
		rule := lab.Enable("shop.save", chaos.MaxFailures(1))
		gomega.Expect(hit(lab.Context(), save)).To(gomega.MatchError(chaos.ErrInjected))
		gomega.Expect(hit(lab.Context(), save)).To(gomega.Succeed())
		gomega.Expect(rule.Counts().Fired).To(gomega.Equal(1))
	})
	ginkgo.It("never saves (it's closed)", func() {
		chaostest.New(ginkgo.GinkgoT()).Enable("shop.save")
	})
	ginkgo.It("is wrong", func() {
		lab := chaostest.New(ginkgo.GinkgoT())
		lab.Enable("shop.mail")
		gomega.Expect(hit(lab.Context(), mail)).To(gomega.Succeed())
	})
	ginkgo.It("begins anew afterwards", func() {
		chaostest.New(ginkgo.GinkgoT())
		gomega.Expect(save.Armed() || mail.Armed()).To(gomega.BeFalse())
	})
})

func TestASpecHasALabAsATestDoes(t *testing.T) {
	if os.Getenv(inside) != "" {
		gomega.RegisterFailHandler(ginkgo.Fail)
		ginkgo.RunSpecs(t, "shop")
		return
	}
	specs := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-ginkgo.seed=9", "-ginkgo.no-color", "-ginkgo.v")
	specs.Env = append(os.Environ(), inside+"=1", chaostest.SeedVariable+"=3")
	out, err := specs.CombinedOutput()
	if err == nil {
		t.Error("specs that should fail did not")
	}
	for _, want := range []string{
		"2 Passed | 2 Failed",
		`chaos: rule shop.save[cluster="a shop never saves (it's closed)"] seed 3 fail: never reached`,
		`to repeat it: CHAOS_SEED=3 ginkgo --seed=9 --focus='a shop never saves \(it'\''s closed\)'`,
		"chaos in a shop is wrong, with the seed 3:",
		"to repeat it: CHAOS_SEED=3 ginkgo --seed=9 --focus='a shop is wrong'",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

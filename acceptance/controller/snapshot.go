package controller

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/iris/client"
)

// snapshots are the files of a controller's snapshots, the newest last.
func snapshots(c *Cluster) []string {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(c.Dir("c-0"), "journal", "snapshots", "*", "state.bin"))
	Expect(err).NotTo(HaveOccurred())
	return files
}

// spoil changes one byte in the middle of a file.
func spoil(file string) {
	GinkgoHelper()
	data, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	data[len(data)/2] ^= 0xff
	Expect(os.WriteFile(file, data, 0o600)).To(Succeed())
}

// contents are all files below a directory.
func contents(dir string) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	Expect(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})).To(Succeed())
	return all
}

var _ = Scenario("snapshots of a controller's state", Controller, Chaos, Controllers(1), SnapshotEvery(40), onlyVirtual, func(c *Cluster) {
	grow := func(ctx SpecContext) {
		GinkgoHelper()
		for i := 0; len(snapshots(c)) < 2; i++ {
			Expect(i).To(BeNumerically("<", 50), "so many jobs must make two snapshots")
			job := c.Submit(ctx, client.Spec{Name: "one-of-many", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		}
	}

	It("snapshot_while_running: is taken without holding up anybody, and has everything (FM-79)", func(ctx SpecContext) {
		running := c.Submit(ctx, client.Spec{Name: "running", Entrypoint: c.Sleeping(10 * time.Minute)})
		Eventually(ctx, running.Status).Should(HaveState(RUNNING))
		grow(ctx)
		before, err := c.Jobs(ctx, "")
		Expect(err).NotTo(HaveOccurred())
		c.Kill("c-0")
		c.Revive("c-0")

		after, err := c.Jobs(ctx, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(after).To(HaveLen(len(before)))
		for i := range before {
			Expect(after[i]).To(EqualProto(before[i]))
		}
		Eventually(ctx, running.Status).WithTimeout(15 * time.Minute).Should(HaveState(SUCCEEDED))
		Expect(c.Began(running)).To(Equal(1))
	})

	It("snapshot_damaged: stops the start, says which file and what to do, and leaves everything as it is (FM-77)", func(ctx SpecContext) {
		grow(ctx)
		c.Kill("c-0")
		files := snapshots(c)
		whole := map[string][]byte{}
		for _, file := range files {
			data, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			whole[file] = data
			spoil(file)
		}
		damaged := contents(c.Dir("c-0"))
		err := c.TryRevive("c-0")
		Expect(err).To(MatchError(ContainSubstring(filepath.Dir(files[len(files)-1]))))
		Expect(err).To(MatchError(ContainSubstring("backup")))
		Expect(contents(c.Dir("c-0"))).To(Equal(damaged))

		for file, data := range whole { // the backup
			Expect(os.WriteFile(file, data, 0o600)).To(Succeed())
		}
		c.Revive("c-0")
		c.Works(ctx)
	})
})

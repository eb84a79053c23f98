package iris

import (
	"os"
	"os/exec"
	"testing"
)

// BenchmarkFastSpecs runs all fast specs, compiled: this very binary, once for each operation. With -race it measures
// them under the race detector.
func BenchmarkFastSpecs(b *testing.B) {
	for b.Loop() {
		out, err := exec.Command(os.Args[0], "-test.run=^TestIris$", "-ginkgo.label-filter=fast").CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/suite")
}

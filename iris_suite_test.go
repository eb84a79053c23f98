package iris

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"iris/acceptance/chronos"

	_ "iris/acceptance"
	_ "iris/acceptance/lifecycle"
	_ "iris/acceptance/rpc"
	_ "iris/acceptance/vm"
	_ "iris/acceptance/worker"
)

func TestIris(t *testing.T) {
	RegisterFailHandler(Fail)
	chronos.Use(t)
	RunSpecs(t, "iris")
}

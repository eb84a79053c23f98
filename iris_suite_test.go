package iris

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"iris/acceptance/chronos"

	_ "iris/acceptance"
)

func TestIris(t *testing.T) {
	RegisterFailHandler(Fail)
	chronos.Use(t)
	RunSpecs(t, "iris")
}

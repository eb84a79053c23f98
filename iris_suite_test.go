package iris

import (
	"testing"

	"iris/acceptance"

	_ "iris/acceptance/controller"
	_ "iris/acceptance/lifecycle"
	_ "iris/acceptance/pages"
	_ "iris/acceptance/process"
	_ "iris/acceptance/rpc"
	_ "iris/acceptance/vm"
	_ "iris/acceptance/worker"
)

func TestIris(t *testing.T) { acceptance.Run(t) }

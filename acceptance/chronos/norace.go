//go:build !race

package chronos

// Racing says that the race detector is on, which makes everything many times slower.
const Racing = false

// oneProcessor is needed under the race detector only.
func oneProcessor() (restore func()) { return func() {} }

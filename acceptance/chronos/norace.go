//go:build !race

package chronos

// oneProcessor is needed under the race detector only.
func oneProcessor() (restore func()) { return func() {} }

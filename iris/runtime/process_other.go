//go:build unix && !linux

package runtime

import "syscall"

// dieWithParent does nothing: only Linux can tie a process to its parent. The guard remains.
func dieWithParent(*syscall.SysProcAttr) {}

// awaitExit cannot wait without reaping: reap has to do both.
func awaitExit(int) bool { return false }

// onlyZombies cannot tell, and need not: init reaps.
func onlyZombies(int) bool { return false }

//go:build unix && !linux

package runtime

import "os"

// ticks cannot be compared with anything here.
func ticks() uint64 { return 0 }

// Self is this process, and whether it leads a session, which cannot be told.
func Self() (id ID, leader bool, err error) { return ID{PID: os.Getpid()}, false, nil }

// KillGroup does nothing: a process cannot be told from another with the same number. The guard of Process has done it.
func (ID) KillGroup(ID) (left bool) { return false }

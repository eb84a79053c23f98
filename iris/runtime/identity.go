package runtime

// ID tells a process from others that get the same number once it is gone, even after the process that started it has
// died, as long as the machine runs. The zero value is no process.
type ID struct {
	PID int `json:"pid"`
	// The process was started between From and To, in hundredths of a second since the machine was. Zero on a system
	// that cannot tell.
	From uint64 `json:"from,omitempty"`
	To   uint64 `json:"to,omitempty"`
}

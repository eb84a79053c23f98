package sshvm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"iris/iris/vm"
)

// machine is one VM of a slice, on a host.
type machine struct {
	slice *slice
	index int
	host  *host  // nil: it is no longer in the pool
	line  string // what is written on the host that it has

	answers bool // the host did when it was chosen

	// Guarded by the manager's lock.
	vm    vm.VM
	asked bool      // something of it may be on the host
	since time.Time // when the host was found to be reserved for it; zero: it was not yet
	left  bool      // the host was reserved for it, and is no more
	lines []string  // what its bootstrap script said
}

// linesMost is how many lines of a bootstrap script are kept.
const linesMost = 500

// phasePrefix begins a line of a script that says what it is busy with.
const phasePrefix = "phase: "

// come brings the VM up.
func (v *machine) come(ctx context.Context) {
	if v.boot(ctx) {
		v.initialize(ctx)
	}
}

// boot waits until the host answers, and is reserved.
func (v *machine) boot(ctx context.Context) bool {
	cfg := v.slice.m.cfg
	within, cancel := context.WithTimeout(ctx, cfg.BootTimeout)
	defer cancel()
	var last error
	for {
		got, err := v.reserve(within)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && got.word == "reserved":
			v.set(vm.Initializing, "bootstrap", "")
			return true
		case err == nil && got.word == "gone":
			v.set(vm.Terminated, "", "")
			return false
		case err == nil:
			v.fail(ctx, fmt.Sprintf("host %s is no longer free: %s", v.host.Address, holder(got.rest)))
			return false
		case errors.Is(err, errDistrusted):
			v.fail(ctx, err.Error())
			return false
		case within.Err() == nil || last == nil:
			last = err
		}
		if !pause(within, cfg.SSHPoll) {
			if ctx.Err() == nil {
				v.fail(ctx, fmt.Sprintf("nobody could log in within %v: %v", cfg.BootTimeout, last))
			}
			return false
		}
	}
}

// reserve takes the host, if it can be had.
func (v *machine) reserve(ctx context.Context) (answer, error) {
	got, err := v.host.last(ctx, io.Discard, "reserve", v.line)
	v.slice.m.mu.Lock()
	defer v.slice.m.mu.Unlock()
	switch {
	case err != nil:
		v.asked = v.asked || !unasked(err)
	case got.word == "reserved":
		v.asked, v.since = true, time.Now()
	default:
		v.asked = false
	}
	return got, err
}

// initialize has the worker started.
func (v *machine) initialize(ctx context.Context) {
	cfg := v.slice.m.cfg
	deadline := time.Now().Add(cfg.InitTimeout)
	within, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: cfg.RetryPause, Multiplier: 2, MaxInterval: max(cfg.RetryPause, 30*time.Second), RandomizationFactor: 0.1,
	}
	for tries := 0; ; {
		said := &lineWriter{most: 1, tell: v.hear} // of the rest there are logs
		got, err := v.host.scripted(ctx, max(time.Until(deadline), time.Second), said, "begin", v.line, cfg.Bootstrap(v.describe()))
		said.flush()
		var why string
		wait := cfg.SSHPoll
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && got.word == "begun":
			v.set(vm.Ready, "", "")
			return
		case err == nil && got.word == "lost":
			v.leave(vm.Preempted)
			return
		case err == nil && got.word == "stopping":
			v.set(vm.Stopping, "", "")
			return
		case errors.Is(err, errDistrusted):
			v.fail(ctx, err.Error())
			return
		case unasked(err):
			why = err.Error()
		case err != nil:
			tries, wait, why = tries+1, pauses.NextBackOff(), err.Error()
		case got.rest == "124", got.rest == "137":
			tries, wait, why = tries+1, pauses.NextBackOff(), "bootstrap took too long, and was killed"
		default:
			tries, wait, why = tries+1, pauses.NextBackOff(), "bootstrap ended with exit status "+got.rest
		}
		if len(said.lines) > 0 {
			why += "; it said last: " + oneLine(strings.Join(said.lines, "\n"))
		}
		cfg.Log.Warn("a VM does not come up", "vm", v.vm.ID, "host", v.host.Address, "try", tries, "error", why)
		switch {
		case tries >= cfg.Tries:
			v.fail(ctx, fmt.Sprintf("tried %d times: %s", tries, why))
			return
		case !pause(within, wait) || time.Until(deadline) <= 0:
			if ctx.Err() == nil {
				v.fail(ctx, fmt.Sprintf("no worker within %v: %s", cfg.InitTimeout, why))
			}
			return
		}
	}
}

// hear takes in a line of the bootstrap script.
func (v *machine) hear(line string) {
	v.slice.m.mu.Lock()
	defer v.slice.m.mu.Unlock()
	v.lines = keepLast(append(v.lines, line), linesMost)
	if phase, ok := strings.CutPrefix(line, phasePrefix); ok && v.vm.State == vm.Initializing {
		v.vm.InitPhase = strings.TrimSpace(phase)
	}
}

// fail makes the VM FAILED, and notes that on its host, so that no other manager tries again.
func (v *machine) fail(ctx context.Context, why string) {
	v.set(vm.Failed, "", why)
	m := v.slice.m
	m.cfg.Log.Warn("a VM failed", "vm", v.vm.ID, "error", why)
	m.mu.Lock()
	asked := v.asked
	m.mu.Unlock()
	if !asked {
		return
	}
	if _, err := v.host.last(ctx, io.Discard, "fail", v.line, oneLine(why)); err != nil && ctx.Err() == nil {
		m.cfg.Log.Warn("it cannot be noted on its host", "vm", v.vm.ID, "error", err)
	}
}

// set moves the VM to a state. It only moves forward, and not at all out of a terminal state.
func (v *machine) set(state vm.State, phase, why string) {
	v.slice.m.mu.Lock()
	defer v.slice.m.mu.Unlock()
	v.become(state, phase, why)
}

// become is set for who holds the lock.
func (v *machine) become(state vm.State, phase, why string) {
	from := v.vm.State
	if from.Terminal() || from == state || from == vm.Stopping && !state.Terminal() {
		return
	}
	v.vm.State, v.vm.InitPhase, v.vm.InitError, v.vm.ChangedAt = state, phase, why, time.Now()
	if state == vm.Initializing || state == vm.Ready {
		v.vm.Address, v.vm.WorkerID = v.name(), v.vm.ID
	}
}

// leave notes that the host is no longer the VM's.
func (v *machine) leave(state vm.State) {
	v.slice.m.mu.Lock()
	defer v.slice.m.mu.Unlock()
	v.asked, v.left = false, true
	v.become(state, "", "")
}

// name is the host's, without its port.
func (v *machine) name() string {
	name, _, _ := net.SplitHostPort(v.slice.held.Hosts[v.index]) // Open has made sure of it
	return name
}

func (v *machine) describe() Machine {
	r := v.slice.held
	return Machine{
		Slice: r.Slice, Group: r.Group, Zone: r.Zone, VM: v.vm.ID, Index: v.index, Count: len(r.Hosts), Host: v.name(),
		Labels: maps.Clone(r.Labels),
	}
}

// holder says who has a host, for people.
func holder(line string) string {
	if r, err := parseReservation(line); err == nil {
		return fmt.Sprintf("slice %s of group %s has it", r.Slice, r.Group)
	}
	return fmt.Sprintf("it is reserved for %.200q", line)
}

// pause waits, and is false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package sshvm

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// sight is what one look at a host has shown.
type sight struct {
	at       time.Time // when the look began
	err      error     // nothing is known
	line     string    // the reservation as it stands there; empty: there is none
	held     reservation
	stranger bool            // the reservation is none of this manager's
	stopping bool            // a termination has begun
	failed   string          // why nobody is to try again; empty: one may
	dead     bool            // its worker has ended
	gone     map[string]bool // slices that had the host
}

// lookMost is at how many hosts the manager looks at once.
const lookMost = 32

// lookAll looks at all hosts, in the order of the pool.
func (m *Manager) lookAll(ctx context.Context) []sight {
	sights := make([]sight, len(m.hosts))
	each(len(m.hosts), func(i int) { sights[i] = m.look(ctx, m.hosts[i]) })
	return sights
}

// each calls f with 0 to n-1, at most lookMost at once, and waits for all.
func each(n int, f func(int)) {
	var all sync.WaitGroup
	room := make(chan struct{}, lookMost)
	for i := range n {
		room <- struct{}{}
		all.Go(func() {
			f(i)
			<-room
		})
	}
	all.Wait()
}

// look asks one host, which has ConnectTimeout for its answer.
func (m *Manager) look(ctx context.Context, h *host) sight {
	s := sight{at: time.Now(), gone: map[string]bool{}}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.ConnectTimeout)
	defer cancel()
	answers, err := h.order(ctx, io.Discard, "look")
	if err != nil {
		s.err = err
		return s
	}
	for _, a := range answers {
		switch a.word {
		case "reserved":
			s.line = a.rest
		case "stopping":
			s.stopping = true
		case "failed":
			s.failed = a.rest
		case "dead":
			s.dead = true
		case "gone":
			s.gone[a.rest] = true
		}
	}
	if s.line != "" {
		if s.held, err = parseReservation(s.line); err != nil {
			m.cfg.Log.Warn("a host is taken by something that cannot be read; remove the file reservation there if nothing runs",
				"host", h.Address, "dir", h.Dir, "error", err)
		}
		s.stranger = err != nil || !m.owns(s.held)
	}
	return s
}

// owns reports whether a reservation is of this group, and has the labels that this manager's have.
func (m *Manager) owns(r reservation) bool {
	for name, value := range m.cfg.Labels {
		if r.Labels[name] != value {
			return false
		}
	}
	return r.Group == m.cfg.Group.Name
}

// oneLine makes one line of a text, for what hosts keep and people read.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " | ")
}

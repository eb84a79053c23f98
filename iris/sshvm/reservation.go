package sshvm

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// reservation is what a host knows of the slice that has it. All hosts of a slice know the same, but for the VM.
type reservation struct {
	Slice    string            `json:"-"`
	Group    string            `json:"group"`
	Zone     string            `json:"zone"`
	Creation string            `json:"creation"` // differs between two creations of the same id
	Created  time.Time         `json:"created"`
	Labels   map[string]string `json:"labels,omitempty"`
	Hosts    []string          `json:"hosts"` // the host of each VM
	VM       int               `json:"vm"`    // the one on this host
}

// validID keeps slice ids to what can be a file's name.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// line is how it is written down on the host of a VM: the id, a space, JSON.
func (r reservation) line(vm int) string {
	r.VM = vm
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and a time of this century
	}
	return r.Slice + " " + string(text)
}

// parseReservation reads a line. Of a damaged one nothing is known, not even half.
func parseReservation(line string) (reservation, error) {
	var r reservation
	id, text, _ := strings.Cut(line, " ")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return reservation{}, fmt.Errorf("the reservation %.200q cannot be read: %w", line, err)
	}
	r.Slice = id
	if !validID.MatchString(id) || r.VM < 0 || r.VM >= len(r.Hosts) {
		return reservation{}, errors.New("the reservation does not name a slice and its VM")
	}
	return r, nil
}

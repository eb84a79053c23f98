package faults

import (
	"fmt"
	"os"
	"strings"

	"iris/chaos"
)

// Variable is the environment variable with the rules that a process arms at its start.
const Variable = "IRIS_CHAOS"

// FromEnvironment arms the rules of [Variable] for the cluster, all or none, and returns them. It is an error if the text
// is wrong, and if there is one although the process was started without --chaos (enabled is false): rules that somebody
// counts on must not silently stay away. An empty variable is none.
func FromEnvironment(cluster string, enabled bool) ([]*chaos.Rule, error) {
	text := os.Getenv(Variable)
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if !enabled {
		return nil, fmt.Errorf("%s has rules, but chaos is off; start with --chaos to arm them, or unset %s", Variable, Variable)
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: a text of %d bytes, want at most %d", Variable, len(text), maxText)
	}
	rules, err := chaos.In(cluster).EnableAll(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	return rules, nil
}

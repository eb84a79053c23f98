package state

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
)

// This file verifies that a world survives as bytes.

// restore goes on with what a snapshot of the cluster, written down and read back, becomes.
func (w *world) restore() {
	restored, err := Restore(throughBytes(w.t, w.c.Snapshot()))
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.c.Describe(epoch))
	}
	w.same("the restored cluster", restored)
	w.c = restored
}

// replay applies the log, written down and read back, to another cluster: the same comes of it, byte for byte.
func (w *world) replay() *Cluster {
	twin := New(worldPolicy)
	for i, e := range w.log {
		at, commands, err := DecodeEntry(throughBytes(w.t, EncodeEntry(e.at, []Command{e.command})))
		if err != nil {
			w.t.Fatalf("line %d of the log, %+v: %v", i, e.command, err)
		}
		effects, err := twin.Apply(at, commands[0])
		if outcome := fmt.Sprint(effectTexts(effects), err); outcome != e.outcome {
			w.t.Fatalf("line %d of the log, %+v, gave %s and now %s", i, e.command, e.outcome, outcome)
		}
	}
	w.same("the replayed log", twin)
	return twin
}

// same expects another cluster to be equal to this one in all that can be seen of it, and in its snapshot.
func (w *world) same(what string, other *Cluster) {
	w.t.Helper()
	// What was due was answered. What is due again are pauses that were over, at which nothing is decided.
	for _, due := range other.Due(w.now) {
		if due.Kind != BackoffDeadline {
			w.t.Fatalf("%s has %+v again\n%s", what, due, w.c.Describe(epoch))
		}
	}
	views := []struct {
		of   string
		view func(*Cluster) string
	}{
		{"description", func(c *Cluster) string { return c.Describe(epoch) }},
		{"queue", queueText},
		{"deadlines", deadlineText},
		{"snapshot", func(c *Cluster) string { return string(snapshotBytes(w.t, c)) }},
	}
	for _, v := range views {
		if got, want := v.view(other), v.view(w.c); got != want {
			w.t.Fatalf("the %s of %s is\n%s\nnot\n%s\n%s", v.of, what, got, want, w.c.Describe(epoch))
		}
	}
}

func queueText(c *Cluster) string {
	var all []string
	for _, j := range c.Queue() {
		all = append(all, fmt.Sprint(j.ID, j.Waiting()))
	}
	return strings.Join(all, " ")
}

// deadlineText are all deadlines at which something would be decided, in their order.
func deadlineText(c *Cluster) string {
	standing := slices.DeleteFunc(slices.Clone(c.times), func(d Deadline) bool {
		return d.Kind == BackoffDeadline || !c.pending(d)
	})
	slices.SortFunc(standing, compareDeadlines)
	return fmt.Sprint(slices.Compact(standing))
}

func snapshotBytes(t interface{ Fatal(...any) }, c *Cluster) []byte {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

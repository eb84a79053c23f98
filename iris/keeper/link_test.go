package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

func TestALostConnectionIsMadeUpFor(t *testing.T) {
	const here, gone = "this keeper", "the one before"
	one := func(phase pb.KeptAttempt_Phase) []*pb.KeptAttempt {
		return []*pb.KeptAttempt{{Uid: "a", Phase: phase, Error: "why", Exit: &pb.KeptExit{Code: 3}}}
	}
	unsent := func(sentTo string) func(*Client) *Task {
		return func(c *Client) *Task {
			task := newTask(c, "a")
			task.order, task.sentTo = &pb.StartOrder{Uid: "a"}, sentTo
			return task
		}
	}
	started := func(c *Client) *Task {
		task := newTask(c, "a")
		task.settle(nil)
		return task
	}
	stopped := func(c *Client) *Task {
		task := started(c)
		at := time.Now().Add(time.Hour)
		task.stopAt = &at
		return task
	}
	over := func(c *Client) *Task {
		task := started(c)
		task.finish(runtime.Exit{Code: 9})
		return task
	}
	for _, c := range []struct {
		name   string
		task   func(*Client) *Task
		held   []*pb.KeptAttempt
		orders string // sent next
		exit   string
	}{
		{"an order that was not sent is", unsent(""), nil, "start", ""},
		{"one that did not arrive is sent again", unsent(here), nil, "start", ""},
		{"one that may have been followed is not", unsent(gone), nil, "", "lost: its keeper died"},
		{"one that did arrive is not", unsent(here), one(running), "", ""},
		{"what runs goes on", started, one(running), "", ""},
		{"an end is heard of", started, one(ended), "", "exit code 3"},
		{"a loss is heard of", started, one(lost), "", "lost: why"},
		{"what nobody knows is lost", started, nil, "", "lost: its keeper died"},
		{"a stop is said again", stopped, one(running), "stop", ""},
		{"but not of what is over", stopped, one(ended), "", "exit code 3"},
		{"what is over stays so", over, nil, "", "exit code 9"},
		{"what was forgotten is forgotten again", nil, one(ended), "forget", ""},
		{"what nobody asks for is stopped", nil, one(running), "stop", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := &Client{tasks: map[string]*Task{}, wake: make(chan struct{}, 1)}
			var task *Task
			if c.task != nil {
				task = c.task(client)
				client.tasks["a"] = task
			}
			l := &link{keeper: here, attempts: c.held}
			client.reconcile(l)
			out := client.orders(l)
			var orders []string
			for name, n := range map[string]int{"start": len(out.GetStart()), "stop": len(out.GetStop()), "forget": len(out.GetForget())} {
				if n > 0 {
					orders = append(orders, name)
				}
			}
			if got := strings.Join(orders, " "); got != c.orders {
				t.Errorf("it orders %q, want %q", got, c.orders)
			}
			if task != nil && (task.over != (c.exit != "") || task.exit.Text() != c.exit) {
				t.Errorf("it ended %v with %q, want %q", task.over, task.exit.Text(), c.exit)
			}
		})
	}
}

// An order that was sent may have been followed, so that its attempt cannot be said not to run.
func TestAnOrderThatWasSentIsNotWithdrawn(t *testing.T) {
	client := &Client{tasks: map[string]*Task{}, wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error, 1)
	go func() {
		_, err := client.Start(ctx, runtime.Spec{UID: "a", Argv: []string{"true"}})
		started <- err
	}()
	<-client.wake
	here := &link{keeper: "here", turn: make(chan struct{}, 1)}
	client.mu.Lock()
	client.link = here
	client.mu.Unlock()
	orders := client.orders(here)
	cancel()
	select {
	case err := <-started:
		t.Fatalf("it returned before it could know: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	client.mu.Lock()
	client.tasks[orders.Start[0].Uid].see(&pb.KeptAttempt{Uid: "a", Phase: running})
	client.mu.Unlock()
	if err := <-started; err != nil {
		t.Errorf("it runs, and is said not to: %v", err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	var all []*pb.KeptAttempt
	for i := range 2*batchCount + 5 {
		all = append(all, &pb.KeptAttempt{Uid: fmt.Sprint(i)})
	}
	all = append(all, &pb.KeptAttempt{Uid: "large", Note: make([]byte, 2*batchBytes)})
	for range 5 {
		all = append(all, &pb.KeptAttempt{Uid: "half", Note: make([]byte, batchBytes/2)})
	}
	var sizes []int
	var again []*pb.KeptAttempt
	for batch := range batches(all) {
		sizes = append(sizes, len(batch))
		again = append(again, batch...)
	}
	if want := []int{1000, 1000, 5, 1, 2, 2, 1}; !slices.Equal(sizes, want) || !slices.Equal(again, all) {
		t.Errorf("the messages have %v, want %v", sizes, want)
	}
	text, err := json.Marshal(entry{UID: "a"})
	if err != nil || string(text) != `{"uid":"a"}` {
		t.Errorf("an entry says what it need not: %s, %v", text, err)
	}
}

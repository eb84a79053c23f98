package controller_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	pb "iris/iris/proto"
)

func TestAfterStopEverythingIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := false
		c, err := controller.Start(controller.Config{
			Network: &network.Memory{}, Journal: closing{closed: &closed}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Stop(); err != nil || !closed {
			t.Errorf("stopped with %v, the journal closed: %v", err, closed)
		}
		err = c.Check(t.Context())
		wantCode(t, err, codes.Unavailable, "the controller is stopping; try again")
		_, err = c.Describe(t.Context(), time.Now())
		wantCode(t, err, codes.Unavailable, "the controller is stopping; try again")
	})
}

type closing struct {
	journal.Memory
	closed *bool
}

func (j closing) Close() error {
	*j.closed = true
	return nil
}

// A question to a loop that is busy ends with its context.
func TestAQuestionEndsWithItsContext(t *testing.T) {
	slow := &slowJournal{}
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		slow.pause = time.Minute
		defer b.launchMeanwhile("j")()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := b.controller.Check(ctx)
		if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took != time.Second {
			b.Errorf("it ended with %v after %v", err, took)
		}
	})
}

func TestStartFailsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		l, err := n.Listen("here")
		if err != nil {
			t.Fatal(err)
		}
		config := controller.Config{Network: n, Address: "here", Log: slog.New(slog.DiscardHandler)}
		if _, err := controller.Start(config); err == nil || err.Error() != "controller: listen on here: address in use" {
			t.Errorf("an address in use: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		config.Journal = unreadable{}
		if _, err := controller.Start(config); err == nil || err.Error() != "controller: replay the journal: torn page" {
			t.Errorf("an unreadable journal: %v", err)
		}
		config.Journal = nil
		c, err := controller.Start(config)
		if err != nil {
			t.Fatalf("the address is not free after a failed start: %v", err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

type unreadable struct{ journal.Memory }

func (unreadable) Replay(func(journal.Entry)) error { return errors.New("torn page") }

// A controller that cannot go on must not seem to: its process ends, and its log says why (FM-31).
func TestAPanicOfTheLoopEndsTheProcess(t *testing.T) {
	const child = "IRIS_TEST_BROKEN_JOURNAL"
	if how := os.Getenv(child); how != "" {
		dieOfJournal(t, how)
		return
	}
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
			cmd.Env = append(os.Environ(), child+"="+how)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 { // that of a panic
				t.Errorf("the process ended with %v", err)
			}
			for _, want := range []string{"controller loop panicked; ending the process", "disk on fire", "controller.(*loop)"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the log does not say %q: %s", want, out.String())
				}
			}
		})
	}
}

// dieOfJournal runs a controller whose journal breaks when it is first used.
func dieOfJournal(t *testing.T, how string) {
	c, err := controller.Start(controller.Config{Journal: burning(how), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := network.Client(network.TCP{}, c.Address())
	if err != nil {
		t.Fatal(err)
	}
	_, err = pb.NewControllerServiceClient(conn).LaunchJob(t.Context(), &pb.LaunchJobRequest{JobId: "j", Spec: spec("j")})
	t.Logf("the process goes on after %v", err)
	select {}
}

type burning string

func (how burning) Commit(journal.Entry) error {
	if how == "panic" {
		panic("disk on fire")
	}
	return errors.New("disk on fire")
}

func (burning) Replay(func(journal.Entry)) error { return nil }
func (burning) Close() error                     { return nil }

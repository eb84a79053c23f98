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
	"iris/iris/state"
)

func TestAfterStopEverythingIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := false
		c, err := controller.Start(controller.Config{
			Network: &network.Memory{}, Journal: closing{journal.NewMemory(controller.Policy(state.Policy{})), &closed}, Log: slog.New(slog.DiscardHandler),
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
	journal.Journal
	closed *bool
}

func (j closing) Close() error {
	*j.closed = true
	return nil
}

// A question to a loop that is busy ends with its context.
func TestAQuestionEndsWithItsContext(t *testing.T) {
	slow := newSlowJournal()
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
		c, err := controller.Start(config)
		if err != nil {
			t.Fatalf("the address is not free after a failed start: %v", err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// A controller whose journal is of no use any more serves nobody, and says so to whoever runs it.
func TestAControllerFailsWithItsJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		c, err := controller.Start(controller.Config{
			Network: &network.Memory{}, Journal: useless{&closed}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Failed()
		if c.Err() == nil || c.Err().Error() != "torn page" {
			t.Errorf("it failed with %v", c.Err())
		}
		wantCode(t, c.Check(t.Context()), codes.Unavailable, "the controller is stopping; try again")
		if err := c.Stop(); err != nil || closed != 1 {
			t.Errorf("stopped with %v, the journal closed %d times", err, closed)
		}
	})
}

type useless struct{ closed *int }

func (useless) Lead(context.Context) (journal.Term, error) { return nil, errors.New("torn page") }
func (useless) Leader() string                             { return "" }
func (u useless) Close() error                             { *u.closed++; return nil }

// A controller that cannot go on must not seem to: its process ends, and its log says why (FM-31).
func TestAPanicOfTheLoopEndsTheProcess(t *testing.T) {
	const child = "IRIS_TEST_BROKEN_JOURNAL"
	if os.Getenv(child) != "" {
		dieOfJournal(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=yes")
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
}

// dieOfJournal runs a controller whose journal breaks when it is first used.
func dieOfJournal(t *testing.T) {
	burning := newSlowJournal()
	burning.propose = func() { panic("disk on fire") }
	c, err := controller.Start(controller.Config{Journal: burning, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
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

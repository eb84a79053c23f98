package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"iris/chaos"
	"iris/iris/faults"
	"iris/iris/network"
)

// childVariable makes the test binary a worker w-0 of a cluster: it prints its address, and for each line that it reads
// whether a hit of the site failed.
const childVariable = "IRIS_TEST_FAULTS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child() error {
	if _, err := faults.FromEnvironment("demo", true); err != nil {
		return err
	}
	server := network.Server()
	faults.Register(server, faults.Config{Cluster: "demo", Names: []string{"w-0"}, Log: slog.New(slog.DiscardHandler)})
	listener, err := network.TCP{}.Listen("")
	if err != nil {
		return err
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with the server
	defer serving.Wait()
	defer server.Stop()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(beat.Hit(context.Background(), chaos.Labels{"cluster": "demo", "worker": "w-0"}))
	}
	return nil
}

func TestRulesReachAnotherProcess(t *testing.T) {
	t.Cleanup(chaos.Reset)
	life, kill := context.WithTimeout(context.Background(), time.Minute) // t.Context ends before Cleanup
	t.Cleanup(kill)
	worker := exec.CommandContext(life, os.Args[0])
	worker.Env = append(os.Environ(), childVariable+"=1", faults.Variable+`=test.beat max 1 err "from the start"`)
	worker.Stderr = os.Stderr
	in, err := worker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends it
		if err := worker.Wait(); err != nil {
			t.Errorf("the worker ended: %v", err)
		}
	})
	answers := bufio.NewScanner(out)
	line := func() string { answers.Scan(); return answers.Text() }
	conn, err := network.Client(network.TCP{}, line())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	controller := serve(t, func(s *grpc.Server) {
		faults.Register(s, faults.Config{
			Cluster: "demo", Names: []string{"c-0"}, Log: slog.New(slog.DiscardHandler),
			Peers: func(context.Context) ([]faults.Process, error) {
				return []faults.Process{{Name: "w-0", Conn: conn}}, nil
			},
		})
	})
	client := faults.Connect(controller)
	hit := func() string { fmt.Fprintln(in); return line() }

	stream, err := client.WatchAll(t.Context(), "w-0")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first hit", hit(), "from the start")
	equal(t, "second hit", hit(), "<nil>")
	reports, err := client.EnableAs(t.Context(), "x", `test.beat[worker=w-0] err "from outside"`)
	equal(t, "answer", told(reports, err), lines("c-0 x(0/0/0)", "w-0 x(0/0/0)"))
	if reports[0].Process.ID == reports[1].Process.ID {
		t.Errorf("two processes are called %s", reports[0].Process.ID)
	}
	equal(t, "third hit", hit(), "from outside")
	reports, err = client.Disarm(t.Context(), "x")
	equal(t, "answer to Disarm", told(reports, err), lines("c-0 x(0/0/0) disarmed", "w-0 x(1/1/1) disarmed"))
	equal(t, "fourth hit", hit(), "<nil>")
	for _, want := range []string{"began", "test.beat[cluster=demo] max 1", `test.beat[cluster=demo,worker=w-0]`} {
		news, err := stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		if news.Fired != nil && !strings.HasPrefix(news.Fired.Rule, want) || news.Began != (want == "began") {
			t.Errorf("the watch tells %+v, want %s", news, want)
		}
	}
}

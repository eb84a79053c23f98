package worker

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

func texts(page *pb.FetchTaskLogsResponse) []string {
	var all []string
	for _, line := range page.Lines {
		all = append(all, line.Text)
	}
	return all
}

// page reads a log without waiting.
func (l *logs) page(uid string, start int64, limit int) *pb.FetchTaskLogsResponse {
	page, _ := l.read(uid, start, limit)
	return page
}

func TestALogKeepsItsLastLines(t *testing.T) {
	l := newLogs()
	l.open("a")
	for i := range logLines + 5 {
		l.add("a", "stdout", fmt.Sprint(i))
	}
	page := l.page("a", 0, 3)
	if got := texts(page); !slices.Equal(got, []string{"5", "6", "7"}) || page.Dropped != 5 || page.NextLine != 8 || page.Complete {
		t.Errorf("the first page is %v", page)
	}
	page = l.page("a", 3, 1) // two of those skipped would have been dropped as well
	if got := texts(page); !slices.Equal(got, []string{"5"}) || page.Dropped != 2 {
		t.Errorf("the page from 3 is %v", page)
	}
	page = l.page("a", 8, logPage)
	if len(page.Lines) != logLines-3 || page.Dropped != 0 || page.NextLine != logLines+5 || page.Complete {
		t.Errorf("the rest is %d lines, %d dropped, next %d", len(page.Lines), page.Dropped, page.NextLine)
	}
	l.close("a")
	if page = l.page("a", 8, 10); page.Complete {
		t.Error("a page in the middle is said to be the last")
	}
	for _, beyond := range []int64{logLines + 5, 1 << 40} {
		if page = l.page("a", beyond, 10); !page.Complete || len(page.Lines) != 0 || page.NextLine != logLines+5 {
			t.Errorf("beyond the end is %v", page)
		}
	}
}

func TestALogKeepsItsLastBytes(t *testing.T) {
	l := newLogs()
	l.open("a")
	for i := range 10 {
		l.add("a", "stdout", strings.Repeat(fmt.Sprint(i), logBytes/4))
	}
	if page := l.page("a", 0, 100); len(page.Lines) != 4 || page.Dropped != 6 || page.Lines[0].Text[0] != '6' {
		t.Errorf("it keeps %d lines and dropped %d", len(page.Lines), page.Dropped)
	}
	l.add("a", "stdout", strings.Repeat("x", 2*logBytes)) // the last line stays, whatever its size
	if page := l.page("a", 0, 100); len(page.Lines) != 1 || page.Dropped != 10 {
		t.Errorf("it keeps %d lines and dropped %d", len(page.Lines), page.Dropped)
	}
}

func TestLogsOfTheOldestAttemptsGo(t *testing.T) {
	l := newLogs()
	uid := func(i int) string { return fmt.Sprintf("j/%d/0", i) }
	l.open("runs")
	l.add("runs", "stdout", "x")
	l.open("silent")
	l.close("silent")
	for i := range logAttempts + 2 {
		l.open(uid(i))
		l.add(uid(i), "stdout", "x")
		l.close(uid(i))
		l.close(uid(i)) // once is enough
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, logAttempts + 1: true} {
		if got := l.page(uid(i), 0, 1) != nil; got != want {
			t.Errorf("the log of attempt %d is kept: %v", i, got)
		}
	}
	if l.page("runs", 0, 1) == nil {
		t.Error("the log of one that runs is gone")
	}
	if page := l.page("silent", 0, 1); page == nil || !page.Complete {
		t.Errorf("one that wrote nothing is in the way of none that did, but its log is %v", page)
	}
	for i := range logSilent {
		l.open(fmt.Sprint(i))
		l.close(fmt.Sprint(i))
	}
	if l.page("silent", 0, 1) != nil {
		t.Error("that it was silent is remembered for ever")
	}
	if n := len(l.attempts); n != 1+logAttempts+logSilent {
		t.Errorf("%d logs are kept", n)
	}
}

func TestPortsAreFreeDistinctAndGivenBack(t *testing.T) {
	p := newPorts()
	seen := map[int]bool{}
	var back []func()
	for range 20 {
		picked, giveBack, err := p.take([]string{"a", "b", "c"})
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, giveBack)
		for name, port := range picked {
			if seen[port] {
				t.Errorf("port %d has two owners", port)
			}
			seen[port] = true
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Errorf("port %s is not free: %v", name, err)
				continue
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if len(p.taken) != 60 {
		t.Errorf("%d ports are taken", len(p.taken))
	}
	for _, giveBack := range back {
		giveBack()
	}
	if len(p.taken) != 0 {
		t.Errorf("%d ports were not given back", len(p.taken))
	}
}

// The system gives a port out again as soon as it is closed; an attempt that has it may not have opened it yet.
func TestAPortHasOneOwner(t *testing.T) {
	p := newPorts()
	first, giveBack, err := p.take([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	p.free = func() (int, error) { return first["a"], nil }
	if port, _, err := p.take([]string{"a"}); err == nil || err.Error() != "port a: no free port found" {
		t.Errorf("port %v was given out twice: %v", port, err)
	}
	giveBack()
	if again, _, err := p.take([]string{"a"}); err != nil || again["a"] != first["a"] {
		t.Errorf("given back, it is taken as %v, %v", again, err)
	}
}

func TestAnAttemptGivesItsPortsBack(t *testing.T) {
	functions := runtime.NewFunc()
	w := &Worker{config: Config{Functions: functions, PollInterval: time.Hour}, ctx: t.Context(),
		ledger: newLedger(nil), logs: newLogs(), ports: newPorts()}
	functions.Register("look", func(context.Context, runtime.FuncTask) error {
		w.ports.mu.Lock()
		defer w.ports.mu.Unlock()
		return runtime.ExitError(len(w.ports.taken))
	})
	a := w.newAttempt(&pb.TaskRun{AttemptUid: "a"}, &pb.JobSpec{Ports: []string{"x", "y"},
		Entrypoint: &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: "look"}}}})
	w.execute(a)
	if code := a.phase.exit; code == nil || *code != 2 || len(w.ports.taken) != 0 {
		t.Errorf("it ended %v; %d ports are taken after it", a.report(), len(w.ports.taken))
	}
}

// An order that comes after its call has ended comes again; it must not be followed twice.
func TestALateOrderIsNotFollowed(t *testing.T) {
	w := &Worker{config: Config{ID: "w-0"}, incarnation: "1", ledger: newLedger(nil)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&service{w: w}).RunTask(ctx, &pb.RunTaskRequest{
		WorkerId: "w-0", Incarnation: "1", Tasks: []*pb.TaskRun{{AttemptUid: "a", JobId: "j"}}, Specs: map[string]*pb.JobSpec{"j": {}},
	})
	if known, _ := w.ledger.knows("a"); status.Code(err) != codes.Canceled || known {
		t.Errorf("it was followed: %v", err)
	}
}

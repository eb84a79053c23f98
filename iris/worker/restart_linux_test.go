package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/bundle"
	"iris/iris/keeper"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/worker"
)

// asWorker makes this test binary a worker process, as its value describes.
const asWorker = "WORKER_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "keeper" {
		os.Exit(keep(os.Args[3]))
	}
	if text := os.Getenv(asWorker); text != "" {
		os.Exit(work(text))
	}
	os.Exit(m.Run())
}

func keep(dir string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if err := keeper.Main(ctx, keeper.Config{Dir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}); err != nil {
		return 1
	}
	return 0
}

// plan is what a worker process is to be like.
type plan struct {
	Controller, Dir           string
	Heartbeat, Poll, Patience time.Duration
}

// work is a worker process. It ends in good order when it is sent SIGTERM or cannot go on; the latter is exit code 3.
func work(text string) int {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	cache, err := bundle.NewCache(filepath.Join(p.Dir, "bundles"), 1<<20)
	if err != nil {
		panic(err)
	}
	functions := runtime.NewFunc()
	functions.Register("sleep", func(ctx context.Context, _ runtime.FuncTask) error {
		<-ctx.Done()
		return ctx.Err()
	})
	w, err := worker.Start(worker.Config{
		Cluster: "c", ID: "w-0", Controller: p.Controller, WorkDir: filepath.Join(p.Dir, "tasks"), Bundles: cache, Functions: functions,
		Keeper: &keeper.Options{Dir: filepath.Join(p.Dir, "keeper")}, HeartbeatInterval: p.Heartbeat, PollInterval: p.Poll,
		KillGrace: p.Patience,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	code := 0
	select {
	case <-asked:
	case <-w.Ended():
		code = 3
	}
	if err := w.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return code
}

// site is a controller that does what a test says, and a place for worker processes.
type site struct {
	*bench
	plan plan
	dir  string
}

func newSite(t *testing.T, change func(*plan)) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "worker") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	s := &site{bench: &bench{T: t, network: network.TCP{}, boss: &boss{}}, dir: dir}
	t.Cleanup(func() {
		if pid := s.keeper(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s.plan = plan{Controller: s.open(""), Dir: dir, Heartbeat: time.Hour, Poll: 20 * time.Millisecond, Patience: 5 * time.Second}
	if change != nil {
		change(&s.plan)
	}
	return s
}

// process is a worker process.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

// start starts a worker process and waits until it has registered.
func (s *site) start() *process {
	s.Helper()
	before := len(s.registrations())
	p := s.launch()
	for len(s.registrations()) == before {
		select {
		case <-p.ended:
			s.Fatal("the worker ended before it registered")
		case <-time.After(5 * time.Millisecond):
		}
	}
	last := s.registrations()[before]
	conn, err := network.Client(s.network, last.Address)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	s.conn, s.client = conn, pb.NewWorkerServiceClient(conn)
	return p
}

func (s *site) launch() *process {
	s.Helper()
	text, err := json.Marshal(s.plan)
	if err != nil {
		s.Fatal(err)
	}
	p := &process{exec.Command(os.Args[0]), make(chan struct{})}
	p.Env = append(os.Environ(), asWorker+"="+string(text))
	if testing.Verbose() {
		p.Stderr = os.Stderr
	}
	if err := p.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // how it ended is in its state
	}()
	s.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
	return p
}

// kill does what a kernel out of memory does.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

func (s *site) registrations() []*pb.RegisterRequest {
	s.boss.mu.Lock()
	defer s.boss.mu.Unlock()
	return slices.Clone(s.boss.registers)
}

// keeper is the keeper process, or 0.
func (s *site) keeper() int {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), "\x00keeper\x00--dir\x00"+filepath.Join(s.dir, "keeper")+"\x00") {
			pid, err := strconv.Atoi(strings.Split(file, "/")[2])
			if err == nil && lives(pid) {
				return pid
			}
		}
	}
	return 0
}

// record is what the keeper has on record.
func (s *site) record() string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "keeper", "record"))
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

func (s *site) order(spec *pb.JobSpec, uid string) {
	s.Helper()
	all := s.registrations()
	in := &pb.RunTaskRequest{
		WorkerId: "w-0", Incarnation: all[len(all)-1].Incarnation, Specs: map[string]*pb.JobSpec{"j": spec},
		Tasks: []*pb.TaskRun{{AttemptUid: uid, JobId: "j", TaskId: "j/" + uid, NumTasks: 1}},
	}
	if _, err := s.client.RunTask(s.Context(), in); err != nil {
		s.Fatal(err)
	}
}

// read reads an attempt's log to its present end.
func (s *site) read(uid string) (lines []string, complete bool) {
	s.Helper()
	all := s.registrations()
	for start := int64(0); ; {
		page, err := s.client.FetchTaskLogs(s.Context(), &pb.WorkerLogsRequest{
			WorkerId: "w-0", Incarnation: all[len(all)-1].Incarnation, AttemptUid: uid, StartLine: start, MaxLines: 7})
		if err != nil {
			s.Fatal(err)
		}
		for _, line := range page.Lines {
			lines = append(lines, line.Text)
		}
		if start = page.NextLine; len(page.Lines) == 0 || page.Complete {
			return lines, page.Complete
		}
	}
}

// lines waits until an attempt has written one, and returns those that it has.
func (s *site) lines(uid string) (lines []string) {
	s.Helper()
	s.within(30*time.Second, uid+" has written", func() bool {
		lines, _ = s.read(uid)
		return len(lines) > 0
	})
	return lines
}

// numbers waits until an attempt has written at least n numbers, and returns them.
func (s *site) numbers(uid string, n int) []int {
	s.Helper()
	var all []int
	s.within(30*time.Second, uid+" has written", func() bool {
		lines, _ := s.read(uid)
		all = nil
		for _, word := range strings.Fields(strings.Join(lines, " ")) {
			if number, err := strconv.Atoi(word); err == nil {
				all = append(all, number)
			}
		}
		return len(all) >= n
	})
	return all
}

func (s *site) within(limit time.Duration, what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// adopted wants the last registration to have told these attempts and no other.
func (s *site) wantAdopted(want map[string]pb.TaskState) {
	s.Helper()
	all, got := s.registrations(), map[string]pb.TaskState{}
	for _, r := range all[len(all)-1].Attempts {
		got[r.AttemptUid] = r.State
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("it registered with %v, want %v", got, want)
	}
}

// lives reports whether a process runs; one that only waits to be reaped does not.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// family prints its pid and that of a child, and runs for ever.
const relatives = `sleep 1000 & echo $$ $!; wait`

func sh(script string) *pb.JobSpec {
	return &pb.JobSpec{Name: "job", Entrypoint: command("sh", "-c", "exec 2>/dev/null; "+script)}
}

func TestAWorkerThatIsKilledComesBack(t *testing.T) {
	s := newSite(t, nil)
	s.boss.order(func(b *boss) { b.lossy = true }) // and there are no heartbeats
	first := s.start()
	gate := filepath.Join(s.dir, "gate")
	count := filepath.Join(s.dir, "count")
	s.order(sh(`echo x >> `+count+`; pwd; echo > kept; i=0; while [ ! -e `+gate+` ]; do echo $i; i=$((i+1)); sleep 0.005; done; echo end; exit 4`), "j/0/0")
	s.order(sh("echo early; exit 0"), "j/1/0")
	s.order(&pb.JobSpec{Entrypoint: command("true"), BundleSha256: strings.Repeat("a", 64)}, "j/2/0") // never comes
	s.order(&pb.JobSpec{Entrypoint: function("sleep")}, "j/3/0")                                      // dies with the worker
	s.numbers("j/0/0", 10)
	s.within(10*time.Second, "the end of the second", func() bool {
		_, complete := s.read("j/1/0")
		return complete
	})
	tasks := filepath.Join(s.dir, "tasks")
	if err := os.Mkdir(filepath.Join(tasks, "not an attempt's"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.within(10*time.Second, "the third is being prepared", func() bool { return s.boss.downloads.Load() == 1 })
	own := filepath.Base(s.lines("j/0/0")[0])
	for _, name := range []string{"j_2_0", "17"} { // as unpacking a workspace would, and as others have left it
		if err := os.Mkdir(filepath.Join(tasks, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	first.kill()
	if len(s.boss.told("j/1/0")) != 0 {
		t.Fatal("the second was reported before: this test is about those that were not")
	}
	time.Sleep(200 * time.Millisecond) // somebody notices
	s.boss.order(func(b *boss) { b.lossy = false })
	s.start()
	s.wantAdopted(map[string]pb.TaskState{"j/0/0": isRunning, "j/1/0": succeeded})
	s.within(10*time.Second, "directories are swept", func() bool {
		return slices.Equal(entries(t, tasks), []string{own, "not an attempt's"})
	})
	before := len(s.numbers("j/0/0", 1))
	s.order(sh("echo x >> "+count), "j/0/0") // the order comes again: it runs already
	s.numbers("j/0/0", before+20)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	end := s.end("j/0/0")
	if end.State != failed || end.Error != "exit code 4" || end.GetExitCode() != 4 {
		t.Errorf("it ended %v", end)
	}
	lines, complete := s.read("j/0/0")
	for i, line := range lines[1 : len(lines)-1] {
		if line != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if !complete || lines[len(lines)-1] != "end" {
		t.Errorf("the log ends %q, complete %v", lines[len(lines)-1], complete)
	}
	if lines, complete := s.read("j/1/0"); !complete || !slices.Equal(lines, []string{"early"}) {
		t.Errorf("the log of the second is %q, complete %v", lines, complete)
	}
	if told := s.boss.told("j/1/0"); len(told) != 1 || told[0].GetExitCode() != 0 || told[0].State != succeeded {
		t.Errorf("the second was reported as %v", told)
	}
	if told := s.boss.told("j/0/0"); len(told) != 2 {
		t.Errorf("the first was reported as %v", told)
	}
	if text, err := os.ReadFile(count); err != nil || string(text) != "x\n" {
		t.Errorf("it ran %q, %v", text, err)
	}
	s.within(10*time.Second, "its directory goes", func() bool { return slices.Equal(entries(t, tasks), []string{"not an attempt's"}) })
}

// What was acknowledged is over, also for the worker's next process.
func TestAnAcknowledgedAttemptIsNotToldAgain(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	s.order(sh("exit 0"), "j/0/0")
	s.wantEnd("j/0/0", succeeded, "")
	s.order(sh("exec sleep 1000"), "j/1/0")
	s.within(10*time.Second, "the second runs", func() bool {
		return len(s.boss.told("j/1/0")) > 0 && s.boss.told("j/1/0")[0].State == isRunning || len(s.boss.told("j/1/0")) > 1
	})
	s.within(10*time.Second, "the first is forgotten", func() bool {
		return strings.Contains(s.record(), `"forget":["j/0/0"]`)
	})
	first.kill()
	s.start()
	s.wantAdopted(map[string]pb.TaskState{"j/1/0": isRunning})
}

func TestAWorkerIsKilledTogetherWithItsKeeper(t *testing.T) {
	s := newSite(t, nil)
	s.boss.order(func(b *boss) { b.lossy = true })
	first := s.start()
	count := filepath.Join(s.dir, "count")
	s.order(sh("echo x >> "+count+"; "+relatives), "j/0/0")
	pids := s.numbers("j/0/0", 2)
	s.order(sh("exit 7"), "j/1/0")
	s.within(10*time.Second, "the end of the second", func() bool {
		return strings.Contains(s.record(), `"code":7`)
	})
	kept := s.keeper()
	if err := syscall.Kill(kept, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.kill()
	s.boss.order(func(b *boss) { b.lossy = false })
	s.start()
	wantGone(t, pids)
	s.wantAdopted(map[string]pb.TaskState{"j/1/0": failed}) // its end was on record; without the first, the controller calls it lost
	if text, err := os.ReadFile(count); err != nil || string(text) != "x\n" {
		t.Errorf("it ran %q, %v", text, err)
	}
	if lines, complete := s.read("j/0/0"); !complete || len(lines) != 1 {
		t.Errorf("the log of what was lost is %q, complete %v", lines, complete)
	}
	s.order(sh("exit 0"), "j/2/0")
	s.wantEnd("j/2/0", succeeded, "")
}

func TestAKeeperIsKilled(t *testing.T) {
	s := newSite(t, nil)
	s.start()
	s.order(sh(relatives), "j/0/0")
	pids := s.numbers("j/0/0", 2)
	s.within(10*time.Second, "the worker knows that it runs", func() bool { return len(s.boss.told("j/0/0")) == 2 })
	kept := s.keeper()
	if err := syscall.Kill(kept, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// KILLED, though the controller did not ask for it: that is the worker's doing, and costs the task a preemption.
	s.wantEnd("j/0/0", killed, fmt.Sprintf("lost: its keeper (process %d) ended before it did", kept))
	wantGone(t, pids)
	s.order(sh("exit 0"), "j/1/0")
	s.wantEnd("j/1/0", succeeded, "")
	if now := s.keeper(); now == kept || now == 0 {
		t.Errorf("the keeper is %d, it was %d", now, kept)
	}
}

func TestATimeoutIsCountedFromTheStart(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	spec := sh(relatives)
	spec.Timeout = durationpb.New(3 * time.Second)
	began := time.Now()
	s.order(spec, "j/0/0")
	pids := s.numbers("j/0/0", 2)
	first.kill()
	time.Sleep(2*time.Second - time.Since(began))
	s.start()
	s.wantEnd("j/0/0", failed, "timed out after 3s")
	if took := time.Since(began); took < 3*time.Second || took > 4500*time.Millisecond { // counted anew it would take 5 s
		t.Errorf("it ran for %v", took)
	}
	wantGone(t, pids)
}

// An attempt that timed out, and whose worker was killed while it was being stopped, timed out.
func TestWhyAnAttemptIsBeingStoppedIsKept(t *testing.T) {
	s := newSite(t, func(p *plan) { p.Patience = time.Hour })
	first := s.start()
	enough := filepath.Join(t.TempDir(), "enough")
	spec := sh(`trap "echo 2; until [ -e ` + enough + ` ]; do sleep 0.01; done; exit 0" TERM; echo 1; while :; do sleep 0.01; done`)
	spec.Timeout = durationpb.New(300 * time.Millisecond)
	s.order(spec, "j/0/0")
	s.numbers("j/0/0", 2)
	first.kill()
	s.start()
	s.wantAdopted(map[string]pb.TaskState{"j/0/0": isRunning})
	if err := os.WriteFile(enough, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.wantEnd("j/0/0", failed, "timed out after 300ms")
	if code := s.end("j/0/0").GetExitCode(); code != 0 {
		t.Errorf("its exit code is %d", code)
	}
}

func TestAnAdoptedAttemptIsStoppedWithGrace(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	s.order(sh(`trap "echo 2; exit 6" TERM; echo 1; while :; do sleep 0.01; done`), "j/0/0")
	s.order(sh(`trap "" TERM; `+relatives+`; wait`), "j/1/0")
	s.numbers("j/0/0", 1)
	pids := s.numbers("j/1/0", 2)
	first.kill()
	s.plan.Patience = 300 * time.Millisecond
	s.boss.order(func(b *boss) { b.deaf, b.stop = true, []string{"j/0/0", "j/1/0"} }) // the controller does not want them any more
	s.start()
	s.wantEnd("j/0/0", killed, "stopped on request")
	if code := s.end("j/0/0").GetExitCode(); code != 6 {
		t.Errorf("its exit code is %d", code)
	}
	if got := s.numbers("j/0/0", 2); got[1] != 2 {
		t.Errorf("it wrote %v", got)
	}
	s.wantEnd("j/1/0", killed, "stopped on request")
	wantGone(t, pids)
}

func TestAWorkerThatStopsEndsItsKeeperToo(t *testing.T) {
	s := newSite(t, func(p *plan) { p.Patience = time.Hour })
	s.boss.order(func(b *boss) { b.lossy = true })
	first := s.start()
	s.order(sh(`trap "" TERM; `+relatives+`; wait`), "j/0/0")
	pids := s.numbers("j/0/0", 2)
	s.order(sh("exit 5"), "j/1/0")
	s.within(10*time.Second, "the end of the second", func() bool {
		_, complete := s.read("j/1/0")
		return complete
	})
	pids = append(pids, s.keeper())
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if code := first.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	wantGone(t, pids)

	s.boss.order(func(b *boss) { b.lossy = false })
	s.start() // how the attempts ended is not lost with all that
	s.wantEnd("j/0/0", killed, "its worker was shut down")
	s.wantEnd("j/1/0", failed, "exit code 5")
}

// A process that has been replaced says nothing more: its attempts are not lost, they are another's.
func TestASecondWorkerTakesOver(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	s.order(sh("echo $$; exec sleep 1000"), "j/0/0")
	pid := s.numbers("j/0/0", 1)[0]
	s.start()
	s.wantAdopted(map[string]pb.TaskState{"j/0/0": isRunning})
	<-first.ended
	if code := first.ProcessState.ExitCode(); code != 3 {
		t.Errorf("the first one ended with %d", code)
	}
	if told := s.boss.told("j/0/0"); slices.ContainsFunc(told, over) {
		t.Errorf("it was reported as %v", told)
	}
	if !lives(pid) {
		t.Error("it is dead")
	}
	s.stopLast("j/0/0")
	s.wantEnd("j/0/0", killed, "stopped on request")
}

func (s *site) stopLast(uid string) {
	s.Helper()
	all := s.registrations()
	in := &pb.StopTaskRequest{WorkerId: "w-0", Incarnation: all[len(all)-1].Incarnation, AttemptUids: []string{uid}}
	if _, err := s.client.StopTask(s.Context(), in); err != nil {
		s.Fatal(err)
	}
}

// The lease holds without a worker too; otherwise two copies of an exclusive task would overlap (design §4).
func TestAnExclusiveAttemptEndsWithItsLeaseThoughItsWorkerIsDead(t *testing.T) {
	s := newSite(t, nil)
	s.boss.order(func(b *boss) { b.lease = 1500 * time.Millisecond })
	began := time.Now()
	first := s.start()
	exclusive := sh(relatives)
	exclusive.Exclusive = true
	s.order(exclusive, "j/0/0")
	s.order(sh(relatives), "j/1/0")
	pids, others := s.numbers("j/0/0", 2), s.numbers("j/1/0", 2)
	first.kill()
	s.within(10*time.Second, "it ends", func() bool { return !lives(pids[0]) && !lives(pids[1]) })
	if took := time.Since(began); took < 1400*time.Millisecond || took > 4*time.Second {
		t.Errorf("it ended after %v", took)
	}
	if !lives(others[0]) {
		t.Error("the other one ended as well")
	}
	s.within(10*time.Second, "the keeper has noted it", func() bool { return strings.Contains(s.record(), `"exit"`) })
	s.start()
	s.wantEnd("j/0/0", killed, "its lease ran out: the controller has not answered")
	s.wantAdopted(map[string]pb.TaskState{"j/0/0": killed, "j/1/0": isRunning})
}

// The keeper ends it before the worker looks: it did not fail.
func TestAnExclusiveAttemptThatItsKeeperEndsHasLapsed(t *testing.T) {
	s := newSite(t, func(p *plan) { p.Poll = 400 * time.Millisecond })
	s.boss.order(func(b *boss) { b.lease = 2 * time.Second })
	s.start()
	s.boss.order(func(b *boss) { b.absent = true })
	exclusive := sh(relatives)
	exclusive.Exclusive = true
	s.order(exclusive, "j/0/0")
	s.numbers("j/0/0", 2)
	s.wantEnd("j/0/0", killed, "its lease ran out: the controller has not answered")
}

func TestAnExclusiveAttemptOutlivesItsWorkerWithinTheLease(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	exclusive := sh("echo $$; exec sleep 1000")
	exclusive.Exclusive = true
	s.order(exclusive, "j/0/0")
	s.numbers("j/0/0", 1)
	first.kill()
	s.start()
	s.wantAdopted(map[string]pb.TaskState{"j/0/0": isRunning})
	s.stopLast("j/0/0")
	s.wantEnd("j/0/0", killed, "stopped on request")
}

// An attempt's log is followed also where a keeper writes it, and is there after a restart.
func TestALogOnDiskIsFollowed(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	gate := filepath.Join(s.dir, "gate")
	s.order(sh(`echo one; while [ ! -e `+gate+` ]; do sleep 0.01; done; echo two; exec sleep 0.3`), "j/0/0")
	follow := func(start int64) (*pb.FetchTaskLogsResponse, error) {
		all := s.registrations()
		return s.client.FetchTaskLogs(s.Context(), &pb.WorkerLogsRequest{WorkerId: "w-0", Incarnation: all[len(all)-1].Incarnation,
			AttemptUid: "j/0/0", StartLine: start, Wait: durationpb.New(20 * time.Second)})
	}
	for start, c := range []struct {
		text     string
		complete bool
		before   func()
	}{
		{"one", false, func() {}},
		{"two", false, func() { time.AfterFunc(100*time.Millisecond, func() { _ = os.WriteFile(gate, nil, 0o600) }) }},
		{"", true, func() {}},
	} {
		c.before()
		page, err := follow(int64(start))
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		if len(page.Lines) > 0 {
			text = page.Lines[0].Text
		}
		if text != c.text || page.Complete != c.complete {
			t.Errorf("from line %d on: %v", start, page)
		}
	}
	s.wantEnd("j/0/0", succeeded, "")
	first.kill()
	s.start()
	if lines, complete := s.read("j/0/0"); !complete || !slices.Equal(lines, []string{"one", "two"}) {
		t.Errorf("after a restart the log is %q, complete %v", lines, complete)
	}
	all := s.registrations()
	_, err := s.client.FetchTaskLogs(s.Context(), &pb.WorkerLogsRequest{WorkerId: "w-0", Incarnation: all[len(all)-1].Incarnation, AttemptUid: "x"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("a log that nobody wrote: %v", err)
	}
}

func TestThePortsOfAnAdoptedAttemptStayTaken(t *testing.T) {
	s := newSite(t, nil)
	first := s.start()
	spec := sh("echo $IRIS_PORT_HTTP; exec sleep 1000")
	spec.Ports = []string{"http"}
	s.order(spec, "j/0/0")
	port := s.numbers("j/0/0", 1)[0]
	first.kill()

	k := &keeper.Options{Dir: filepath.Join(s.dir, "keeper")}
	w, err := worker.Start(worker.Config{ID: "w-0", Controller: s.plan.Controller, Keeper: k, WorkDir: s.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if taken := worker.TakenPorts(w); !slices.Equal(taken, []int{port}) {
		t.Errorf("the ports that are taken are %v, want %d", taken, port)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	if taken := worker.TakenPorts(w); len(taken) != 0 {
		t.Errorf("after its end the ports that are taken are %v", taken)
	}
}

func TestAWorkerWhoseKeeperHasNoFolderDoesNotStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := worker.Start(worker.Config{ID: "w-0", Controller: "127.0.0.1:1", Keeper: &keeper.Options{Dir: file}, Log: slog.New(slog.DiscardHandler)})
	says := "worker w-0: keeper of " + file + ": mkdir " + file + ": not a directory"
	if err == nil || err.Error() != says || errors.Is(err, keeper.ErrLost) {
		t.Errorf("got %v, want %s", err, says)
	}
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"iris/chaos"
	"iris/iris/bundle"
	"iris/iris/keeper"
	"iris/iris/mutant"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/state"
)

// attempt is one attempt on this worker. The ledger guards phase and dirty.
type attempt struct {
	uid    string
	labels chaos.Labels // the worker's
	run    *pb.TaskRun  // nil for one that was stopped before it came, as are spec, ctx and cancel
	spec   *pb.JobSpec
	ctx    context.Context // ends when it has to stop
	cancel context.CancelFunc
	phase  phase
	dirty  bool
	began  time.Time // when it was ordered
	course *course   // in a trace
	// drained: it has to stop because its worker ends, and not because the controller wants it to.
	drained atomic.Bool
}

// phase is where an attempt is, and how it ended.
type phase struct {
	state pb.TaskState
	text  string
	exit  *int32
	ports map[string]int32 // while it runs
}

func (a *attempt) report() *pb.AttemptReport {
	return &pb.AttemptReport{AttemptUid: a.uid, State: a.phase.state, Error: a.phase.text, ExitCode: a.phase.exit, Ports: a.phase.ports}
}

// ChaosLabels are what chaos rules can tell an attempt by. They are made when a rule asks.
func (a *attempt) ChaosLabels() chaos.Labels {
	if a.run == nil {
		return a.labels
	}
	labels := maps.Clone(a.labels)
	labels["job"] = a.spec.Name
	labels["task"] = strconv.Itoa(int(a.run.TaskIndex))
	labels["attempt"] = strconv.Itoa(int(a.run.AttemptId))
	return labels
}

// newAttempt is an attempt yet to be executed; its cancel must be called in the end.
func (w *Worker) newAttempt(run *pb.TaskRun, spec *pb.JobSpec) *attempt {
	a := &attempt{uid: run.AttemptUid, labels: w.labels, run: run, spec: spec, phase: phase{state: pb.TaskState_TASK_STATE_ASSIGNED},
		began: time.Now()}
	a.ctx, a.cancel = context.WithCancel(w.ctx)
	return a
}

// execute runs an attempt from its order to its end.
func (w *Worker) execute(a *attempt) {
	defer a.cancel()
	a.course = w.traces.follow(a.run, w.config.ID, a.began)
	w.conclude(a, w.perform(a))
}

// conclude notes how an attempt ended, unless it is another process's by now.
func (w *Worker) conclude(a *attempt, end phase) {
	if w.replaced() {
		return
	}
	w.logs.close(a.uid)
	w.metrics.end(end.state)
	a.course.advance(end)
	w.ledger.advance(a, end)
}

// perform takes an attempt through its phases: the workspace, the process, the watch over it.
func (w *Worker) perform(a *attempt) phase {
	dir, clean, err := w.prepare(a)
	defer clean()
	if err != nil {
		return a.failed(err)
	}
	ports, giveBack, err := w.ports.take(a.spec.Ports)
	defer giveBack()
	if err != nil {
		return a.failed(err)
	}
	if err := containerSite.Hit(a.ctx, a); err != nil {
		return a.failed(err)
	}
	if a.spec.GetExclusive() && !w.lease.await(a.ctx, w.margin()) {
		if a.ctx.Err() != nil {
			return a.stopped()
		}
		return lapsed
	}
	task, err := w.start(a, dir, ports)
	if err != nil {
		return a.failed(err)
	}
	a.course.advance(phase{state: pb.TaskState_TASK_STATE_RUNNING})
	w.ledger.advance(a, phase{state: pb.TaskState_TASK_STATE_RUNNING, ports: wirePorts(ports)})
	w.metrics.started(a.began)
	return w.monitor(a, task, time.Now())
}

// failed is the end of an attempt that could not be brought to run, unless it was to stop anyway, or it was not its fault.
func (a *attempt) failed(err error) phase {
	switch {
	case a.ctx.Err() != nil:
		return a.stopped()
	case errors.Is(err, keeper.ErrLost):
		return phase{state: pb.TaskState_TASK_STATE_KILLED, text: err.Error()}
	}
	return phase{state: pb.TaskState_TASK_STATE_FAILED, text: err.Error()}
}

// stopped is the end of an attempt that had to stop.
func (a *attempt) stopped() phase {
	if a.drained.Load() {
		return phase{state: pb.TaskState_TASK_STATE_KILLED, text: "worker " + a.labels["worker"] + " was drained"}
	}
	return stopped
}

var (
	stopped  = phase{state: pb.TaskState_TASK_STATE_KILLED, text: "stopped on request"}
	shutDown = phase{state: pb.TaskState_TASK_STATE_KILLED, text: "its worker was shut down"}
	lapsed   = phase{state: pb.TaskState_TASK_STATE_KILLED, text: "its lease ran out: the controller has not answered"}
)

// prepare finds the attempt a directory and unpacks its workspace there. Functions without a workspace need none.
func (w *Worker) prepare(a *attempt) (dir string, clean func(), err error) {
	if a.spec.BundleSha256 == "" && a.spec.Entrypoint.GetCommand() == nil {
		return "", func() {}, nil
	}
	a.course.advance(phase{state: pb.TaskState_TASK_STATE_BUILDING})
	w.ledger.advance(a, phase{state: pb.TaskState_TASK_STATE_BUILDING})
	if a.spec.BundleSha256 == "" {
		if dir, err = w.directories.take(); err != nil {
			return "", func() {}, err
		}
		return dir, func() { w.leave(dir) }, nil
	}
	dir = filepath.Join(w.config.WorkDir, strings.ReplaceAll(a.uid, "/", "_"))
	clean = func() { w.leave(dir) }
	if w.config.Bundles == nil {
		return dir, clean, errors.New("this worker takes no bundles")
	}
	if err := bundleSite.Hit(a.ctx, a); err != nil {
		return dir, clean, err
	}
	archive, release, err := w.config.Bundles.Get(a.course.within(a.ctx), bundle.Hash(a.spec.BundleSha256), w.download(a.spec.BundleSha256))
	if err != nil {
		return dir, clean, err
	}
	defer release()
	return dir, clean, bundle.Unpack(archive, dir, bundle.DefaultLimits)
}

// leave gives an attempt's directory back.
func (w *Worker) leave(dir string) {
	if w.replaced() {
		return // it is another process's
	}
	if err := w.directories.give(dir); err != nil {
		w.config.Log.Warn("directory of an attempt not removed", "directory", dir, "error", err)
	}
}

// download fetches a bundle from the controller.
func (w *Worker) download(sum string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, to io.Writer) error {
		ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
		defer cancel()
		stream, err := w.registry.DownloadBundle(ctx, &pb.DownloadBundleRequest{Sha256: sum})
		if err != nil {
			return err
		}
		for {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := to.Write(part.Data); err != nil {
				return err
			}
		}
	}
}

// downloadTimeout bounds the download of one bundle.
const downloadTimeout = 10 * time.Minute

func (w *Worker) start(a *attempt, dir string, ports map[string]int) (runtime.Task, error) {
	spec := runtime.Spec{
		UID: a.uid, Dir: dir, Env: w.environment(a, ports),
		Log: func(stream, line string) { w.logs.add(a.uid, stream, line) },
	}
	switch kind := a.spec.Entrypoint.GetKind().(type) {
	case *pb.Entrypoint_Command:
		spec.Argv = kind.Command.Argv
		switch {
		case w.keeper != nil:
			return w.startKept(a, spec, ports)
		case w.config.Processes != nil:
			return w.config.Processes.Start(a.ctx, spec)
		}
	case *pb.Entrypoint_Function:
		if w.config.Functions != nil {
			spec.Func, spec.Args = kind.Function.Name, kind.Function.Args
			return w.config.Functions.Start(a.ctx, spec)
		}
	}
	return nil, fmt.Errorf("worker %s does not run this kind of entrypoint", w.config.ID)
}

// environment is the user's, and what Iris says of the attempt.
func (w *Worker) environment(a *attempt, ports map[string]int) map[string]string {
	const own = 7
	env := make(map[string]string, len(a.spec.Environment)+own+len(ports))
	maps.Copy(env, a.spec.Environment)
	env["IRIS_JOB_ID"] = a.run.JobId
	env["IRIS_TASK_ID"] = a.run.TaskId
	env["IRIS_TASK_INDEX"] = strconv.Itoa(int(a.run.TaskIndex))
	env["IRIS_NUM_TASKS"] = strconv.Itoa(int(a.run.NumTasks))
	env["IRIS_ATTEMPT_ID"] = strconv.Itoa(int(a.run.AttemptId))
	env["IRIS_WORKER_ID"] = w.config.ID
	env["IRIS_CONTROLLER_ADDRESS"] = w.config.Controller
	for name, port := range ports {
		env["IRIS_PORT_"+strings.ToUpper(name)] = strconv.Itoa(port)
	}
	return env
}

func wirePorts(ports map[string]int) map[string]int32 {
	wire := make(map[string]int32, len(ports))
	for name, port := range ports {
		wire[name] = int32(port)
	}
	return wire
}

// monitor watches an attempt that has run since it began, until it has ended, one way or another. It always leaves with
// the process gone.
func (w *Worker) monitor(a *attempt, task runtime.Task, began time.Time) phase {
	poll := time.NewTicker(w.config.PollInterval)
	defer poll.Stop()
	limit, over := a.spec.GetTimeout().AsDuration(), (<-chan time.Time)(nil)
	if limit > 0 {
		timer := time.NewTimer(limit - time.Since(began))
		defer timer.Stop()
		over = timer.C
	}
	for {
		if err := monitorSite.Hit(a.ctx, a); err != nil && a.ctx.Err() == nil {
			return w.end(task, 0, phase{state: pb.TaskState_TASK_STATE_FAILED, text: "chaos: monitor crashed"})
		}
		if a.spec.GetExclusive() && time.Until(w.lease.end()) <= w.margin() && !mutant.On(mutant.LeaseNotLookedAt) {
			return w.interrupt(task, 0, lapsed)
		}
		select {
		case <-task.Done():
			return exited(task)
		case <-poll.C:
		case <-over:
			return w.interrupt(task, w.config.KillGrace, phase{state: pb.TaskState_TASK_STATE_FAILED, text: state.TimeoutText(limit)})
		case <-a.ctx.Done():
			as := a.stopped()
			if w.ctx.Err() != nil {
				as = shutDown
			}
			return w.interrupt(task, w.config.KillGrace, as)
		}
	}
}

// margin is how long before the end of the lease exclusive attempts end.
func (w *Worker) margin() time.Duration { return 2 * w.config.PollInterval }

// interrupt ends a task, unless it has just ended by itself: then that is what counts (FM-54).
func (w *Worker) interrupt(task runtime.Task, grace time.Duration, as phase) phase {
	select {
	case <-task.Done():
		return exited(task)
	default:
		return w.end(task, grace, as)
	}
}

// end stops a task and waits until nothing of it is left.
func (w *Worker) end(task runtime.Task, grace time.Duration, as phase) phase {
	stop(task, grace, as)
	select {
	case <-task.Done():
	case <-w.ctx.Done(): // the worker itself ends, and waits for nobody
		stop(task, 0, as)
		<-task.Done()
	}
	return stoppedAs(as, task)
}

// stoppedAs is the end of a task that was stopped, which is over.
func stoppedAs(as phase, task runtime.Task) phase {
	code := int32(task.Exit().Code)
	as.exit = &code
	return as
}

// stop asks a task to end. A keeper also keeps why.
func stop(task runtime.Task, grace time.Duration, as phase) {
	if kept, ok := task.(*keeper.Task); ok {
		kept.StopFor(grace, as.verdict())
		return
	}
	task.Stop(grace)
}

// exited is how a task ended that this process has not stopped. The keeper may have, when its lease ran out.
func exited(task runtime.Task) phase {
	if kept, ok := task.(*keeper.Task); ok {
		if as, ok := verdictOf(kept.Verdict()); ok {
			return stoppedAs(as, task)
		}
	}
	exit := task.Exit()
	if errors.Is(exit.Err, keeper.ErrLost) {
		return phase{state: pb.TaskState_TASK_STATE_KILLED, text: exit.Text()}
	}
	code := int32(exit.Code)
	if text := exit.Text(); text != "" {
		return phase{state: pb.TaskState_TASK_STATE_FAILED, text: text, exit: &code}
	}
	return phase{state: pb.TaskState_TASK_STATE_SUCCEEDED, exit: &code}
}

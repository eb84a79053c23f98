package state

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

// TestLogs replays the logs in testdata, one for each rule of design §3. After a change of the rules, -rewrite writes
// what comes of them now: commit only what you can explain.
//
//	submit id=j [name=n replicas=2 retries=1 preemptions=0 task-failures=1 cpu=2 gang=pod where=pod
//	       timeout=5s scheduling-timeout=10s parent=p exclusive]
//	cancel j                              its reason below
//	register w-0 [incarnation=2 cpu=4 pod=p address=a running=(j/0/0,j/1/0)]
//	lose w-0                              its cause below, or "no heartbeat for 60s"
//	assign j/0@w-0 j/1@w-1
//	report w-0 j/0/0 RUNNING [incarnation=1]   its error below; commits what is news, prints what the worker is told
//	heartbeat w-0                         prints what it is told, having nothing to say
//	fail-dispatch j/0/0                   its cause below
//	tick +5s                              lets time go by
//	expire                                answers what is due, its reason below
//	set-policy [grace=20s rounds=2 pause=5s slack=1s]   what is not given stays
//	forget j k, forget-workers w-0        prints how many stay
//	retain [jobs=1 age=1h worker-age=1h]  forgets what the cluster proposes, and prints it
//	outstanding                           prints what a new leader sends again
//	restore                               goes on with what is restored from a snapshot
//	events                                prints what was told since it was printed last
//	past                                  prints what the state still tells of
//	queue, describe                       print
func TestLogs(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			s := tell(t)
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				r := script{s, d, &strings.Builder{}}
				r.run()
				if r.out.Len() == 0 {
					return "ok\n"
				}
				return r.out.String()
			})
		})
	}
}

// A script is one command of a log and what it prints.
type script struct {
	*story
	d   *datadriven.TestData
	out *strings.Builder
}

func (r script) run() {
	switch r.d.Cmd {
	case "submit":
		r.do(r.submission())
	case "cancel":
		r.do(CancelJob{ID: r.word(0), Reason: r.text("")})
	case "register":
		r.do(r.registration())
	case "lose":
		w := r.word(0)
		r.do(LoseWorker{ID: w, Incarnation: r.incarnation(w), Cause: r.text("no heartbeat for 60s")})
	case "assign":
		r.assign()
	case "report":
		r.report()
	case "heartbeat":
		r.answer(r.word(0), r.incarnation(r.word(0)), nil)
	case "fail-dispatch":
		r.do(FailDispatch{UID: r.word(0), Cause: r.text("")})
	case "tick":
		r.now = r.now.Add(r.duration(strings.TrimPrefix(r.word(0), "+")))
	case "expire":
		r.expire()
	case "set-policy":
		r.do(SetPolicy{r.policy()})
	case "forget", "forget-workers":
		r.forget()
	case "retain":
		r.retain()
	case "outstanding":
		for _, e := range effectTexts(r.c.Outstanding()) {
			r.printf("%s\n", e)
		}
	case "restore":
		restored, err := Restore(throughBytes(r.tb(), r.c.Snapshot()))
		if err != nil {
			r.d.Fatalf(r.tb(), "%v", err)
		}
		r.story.c = restored
		restored.Watch(r.watch)
	case "events":
		for _, e := range r.told {
			r.printf("%s\n", eventText(e, r.start))
		}
		r.story.told = nil
	case "past":
		for _, e := range r.c.Past(100) {
			r.printf("%s\n", eventText(e, r.start))
		}
	case "queue":
		for _, j := range r.c.Queue() {
			r.printf("%s %v\n", j.ID, j.Waiting())
		}
	case "describe":
		r.printf("%s", r.c.Describe(r.start))
	default:
		r.d.Fatalf(r.tb(), "there is no command %s", r.d.Cmd)
	}
}

func (r script) tb() *testing.T { return r.t.(*testing.T) }

func (r script) printf(format string, args ...any) { fmt.Fprintf(r.out, format, args...) }

// do applies a command and prints what comes of it.
func (r script) do(cmd Command) {
	r.apply(cmd)
	if r.err != nil {
		r.printf("refused: %v\n", r.err)
	}
	for _, e := range r.effects {
		r.printf("%s\n", e)
	}
}

func (r script) assign() {
	var cmd Assign
	for _, arg := range r.d.CmdArgs {
		cmd.Placements = append(cmd.Placements, r.placement(arg.Key))
	}
	r.do(cmd)
	if len(r.effects) < len(cmd.Placements) {
		r.printf("%d left out\n", len(cmd.Placements)-len(r.effects))
	}
}

func (r script) report() {
	worker, state := r.word(0), State(pb.TaskState_value["TASK_STATE_"+r.word(2)])
	incarnation := r.incarnation(worker)
	reports := []Report{{UID: r.word(1), State: state, Error: r.text("")}}
	if news := r.c.News(worker, incarnation, reports); news == nil {
		r.printf("no news\n")
	} else {
		r.do(Observe{Worker: worker, Incarnation: incarnation, Reports: news})
	}
	r.answer(worker, incarnation, reports)
}

func (r script) answer(worker, incarnation string, reports []Report) {
	ack, stop := r.c.Answer(worker, incarnation, reports)
	for _, uid := range ack {
		r.printf("%s is told to forget %s\n", worker, uid)
	}
	for _, uid := range stop {
		r.printf("%s is told to stop %s\n", worker, uid)
	}
}

func (r script) expire() {
	kinds := map[DeadlineKind]string{
		SchedulingDeadline: "scheduling deadline", TimeoutDeadline: "timeout", StrandedDeadline: "end of the grace",
		BackoffDeadline: "end of a pause",
	}
	for _, due := range r.c.Due(r.now) {
		what := due.Job
		if due.UID != "" {
			what = due.UID
		}
		r.printf("%s of %s, due at %v\n", kinds[due.Kind], what, due.At.Sub(r.start))
		if due.Kind != BackoffDeadline {
			r.do(Expire{Deadline: due, Reason: r.text("")})
		}
	}
	if at, ok := r.c.Next(); ok {
		r.printf("next at %v\n", at.Sub(r.start))
	}
}

func (r script) policy() Policy {
	p := r.c.Policy()
	for _, arg := range r.d.CmdArgs {
		value := strings.Join(arg.Vals, ",")
		switch arg.Key {
		case "grace":
			p.NoWorkerGrace = r.duration(value)
		case "rounds":
			p.DispatchRounds = int(r.number(value))
		case "pause":
			p.DispatchPause = r.duration(value)
		case "slack":
			p.TimeoutSlack = r.duration(value)
		default:
			r.d.Fatalf(r.tb(), "a policy has no %s", arg.Key)
		}
	}
	return p
}

func (r script) forget() {
	var ids []string
	for _, arg := range r.d.CmdArgs {
		ids = append(ids, arg.Key)
	}
	var cmd Command = ForgetJobs{ids}
	if r.d.Cmd == "forget-workers" {
		cmd = ForgetWorkers{ids}
	}
	r.do(cmd)
	stay := slices.DeleteFunc(ids, func(id string) bool { return r.c.Job(id) == nil && r.c.Worker(id) == nil })
	if len(stay) > 0 {
		r.printf("stays: %s\n", strings.Join(stay, " "))
	}
}

func (r script) retain() {
	var keep Retention
	for _, arg := range r.d.CmdArgs {
		value := strings.Join(arg.Vals, ",")
		switch arg.Key {
		case "jobs":
			keep.Jobs = int(r.number(value))
		case "age":
			keep.Age = r.duration(value)
		case "worker-age":
			keep.WorkerAge = r.duration(value)
		default:
			r.d.Fatalf(r.tb(), "nothing is kept by %s", arg.Key)
		}
	}
	for _, cmd := range r.c.Expired(r.now, keep) {
		switch cmd := cmd.(type) {
		case ForgetJobs:
			r.printf("forget jobs %s\n", strings.Join(cmd.IDs, " "))
		case ForgetWorkers:
			r.printf("forget workers %s\n", strings.Join(cmd.IDs, " "))
		}
		r.do(cmd)
	}
}

func (r script) submission() SubmitJob {
	id, memory := "", int64(1<<30)
	spec := correctSpec()
	for _, arg := range r.d.CmdArgs {
		value := strings.Join(arg.Vals, ",")
		switch arg.Key {
		case "id":
			id = value
			if !r.d.HasArg("name") {
				spec.Name = id
			}
		case "name":
			spec.Name = value
		case "replicas":
			spec.Replicas = proto.Int32(r.number(value))
		case "retries":
			spec.MaxRetriesFailure = proto.Int32(r.number(value))
		case "preemptions":
			spec.MaxRetriesPreemption = proto.Int32(r.number(value))
		case "task-failures":
			spec.MaxTaskFailures = proto.Int32(r.number(value))
		case "cpu":
			needing(int64(r.number(value))*1000, memory)(spec)
		case "gang":
			grouped(value)(spec)
		case "where":
			where(value, exists, "")(spec)
		case "timeout":
			spec.Timeout = durationpb.New(r.duration(value))
		case "scheduling-timeout":
			spec.SchedulingTimeout = durationpb.New(r.duration(value))
		case "parent":
			spec.ParentJobId = value
		case "exclusive":
			spec.Exclusive = true
		default:
			r.d.Fatalf(r.tb(), "a job has no %s", arg.Key)
		}
	}
	if err := Validate(id, spec); err != nil {
		r.d.Fatalf(r.tb(), "%v", err)
	}
	return SubmitJob{ID: id, Spec: spec}
}

func (r script) registration() RegisterWorker {
	cmd := registration(r.word(0), "1")
	for _, arg := range r.d.CmdArgs[1:] {
		value := strings.Join(arg.Vals, ",")
		switch arg.Key {
		case "incarnation":
			cmd.Incarnation = value
		case "cpu":
			cmd.Capacity.CPUMillis = int64(r.number(value)) * 1000
		case "pod":
			cmd.Attributes["pod"] = value
		case "address":
			cmd.Address = value
		case "running":
			for _, uid := range arg.Vals {
				cmd.Reports = append(cmd.Reports, Report{UID: strings.TrimSpace(uid), State: Running})
			}
		default:
			r.d.Fatalf(r.tb(), "a worker has no %s", arg.Key)
		}
	}
	return cmd
}

// incarnation is the one given, or the worker's present one.
func (r script) incarnation(worker string) string {
	if arg, ok := r.d.Arg("incarnation"); ok {
		return arg.SingleVal(r.tb())
	}
	w := r.c.Worker(worker)
	if w == nil {
		r.d.Fatalf(r.tb(), "there is no worker %s", worker)
	}
	return w.Incarnation
}

func (r script) word(i int) string {
	words := slices.DeleteFunc(slices.Clone(r.d.CmdArgs), func(a datadriven.CmdArg) bool { return len(a.Vals) > 0 })
	if i >= len(words) {
		r.d.Fatalf(r.tb(), "word %d of %s is missing", i+1, r.d.Cmd)
	}
	return words[i].Key
}

func (r script) text(otherwise string) string { return orElse(r.d.Input, otherwise) }

func (r script) number(text string) int32 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		r.d.Fatalf(r.tb(), "%v", err)
	}
	return int32(n)
}

func (r script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		r.d.Fatalf(r.tb(), "%v", err)
	}
	return d
}

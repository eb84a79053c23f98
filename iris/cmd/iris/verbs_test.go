package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
)

func TestListsAsTablesAndAsJSON(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	for name, args := range map[string][]string{
		"good": {"true"}, "bad": {"sh", "-c", "exit 3"},
	} {
		s.run(append([]string{"job", "run", "--id", name + "-1", "--name", name, "--"}, args...)...)
	}
	s.run("job", "run", "--id", "huge-1", "--name", "huge", "--cpu", "99", "--no-wait", "--", "true")

	got := s.run("job", "list", "--prefix", "b")
	if want := "ID     NAME  STATE   TASKS   AGE  RAN  WHY\nbad-1  bad   FAILED    1/1  "; !strings.HasPrefix(squeezed(got.out), squeezed(want)) ||
		!strings.HasSuffix(got.out, "exit code 3\n") || strings.Count(got.out, "\n") != 2 {
		t.Errorf("job list --prefix:\n%s", got.out)
	}
	var jobs pb.ListJobsResponse
	decode(t, s.run("job", "list", "-o", "json", "--state", "failed,PENDING"), &jobs)
	if len(jobs.Jobs) != 2 || jobs.Jobs[0].JobId != "bad-1" || jobs.Jobs[1].PendingReason.GetKind() != pb.PendingReason_KIND_TOO_LARGE {
		t.Errorf("job list -o json --state: %v", &jobs)
	}
	var job pb.JobStatus
	decode(t, s.run("job", "status", "good-1", "-o", "json"), &job)
	if job.Name != "good" || job.State != pb.JobState_JOB_STATE_SUCCEEDED {
		t.Errorf("job status -o json: %v", &job)
	}
	var tasks pb.ListTasksResponse
	decode(t, s.run("task", "list", "bad", "-o", "json"), &tasks)
	if len(tasks.Tasks) != 1 || tasks.Tasks[0].Attempts[0].GetExitCode() != 3 {
		t.Errorf("task list -o json: %v", &tasks)
	}
	var workers pb.ListWorkersResponse
	decode(t, s.run("worker", "list", "w-1", "-o", "json"), &workers)
	if len(workers.Workers) != 1 || workers.Workers[0].Capacity.GetCpuMillis() != 4000 {
		t.Errorf("worker list w-1 -o json: %v", &workers)
	}
	if got := s.run("job", "events", "bad-1"); !strings.Contains(squeezed(got.out), " job FAILED exit code 3") || !strings.HasPrefix(got.out, "WHEN ") {
		t.Errorf("job events:\n%s", got.out)
	}
	var happened pb.ListEventsResponse
	decode(t, s.run("job", "events", "good-1", "-o", "json"), &happened)
	if n := len(happened.Events); n < 5 || happened.Events[n-1].State != pb.TaskState_TASK_STATE_SUCCEEDED {
		t.Errorf("job events -o json: %v", &happened)
	}
	if got := s.run("job", "status", "huge"); !strings.Contains(got.out, "Waits     needs 99 CPU, the largest worker w-0 has 4 CPU; 2 workers\n") {
		t.Errorf("job status:\n%s", got.out)
	}
	if got := s.run("task", "list", "bad-1", "-o", "wide"); !strings.Contains(got.out, "   0  FAILED        0  w-") {
		t.Errorf("task list -o wide:\n%s", got.out)
	}
	var killed struct{ Status json.RawMessage }
	got = s.run("job", "stop", "huge", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &killed); err != nil || protojson.Unmarshal(killed.Status, &job) != nil ||
		job.State != pb.JobState_JOB_STATE_KILLED {
		t.Errorf("job stop -o json: %+v, %v", got, err)
	}
	s.run("job", "stop", "huge-1").expect(t, 0, "job huge-1 was over already: KILLED\n", "")
	s.run("job", "stop", "--prefix", "none").expect(t, 0, "", "iris: no job whose name begins with \"none\" is running or waiting\n")
}

func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

func decode(t *testing.T, r result, m proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(r.out), m); err != nil || r.code != 0 {
		t.Errorf("exit code %d, %v\n%s\n%s", r.code, err, r.out, r.err)
	}
}

// A job as JSON is a line for each piece of news, and nothing else on standard output.
func TestAJobAsJSONLines(t *testing.T) {
	t.Parallel()
	got := at(t, booted(t)).run("job", "run", "-o", "json", "--name", "j", "--", "sh", "-c", "echo hello; echo oops >&2; exit 3")
	if got.code != exitFailed {
		t.Errorf("exit code %d", got.code)
	}
	var kinds []string
	texts := map[string]string{}
	last := pb.JobStatus{}
	for line := range strings.Lines(got.out) {
		var event map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &event); err != nil || len(event) != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		for kind, body := range event {
			if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
				kinds = append(kinds, kind)
			}
			switch kind {
			case "status":
				if err := protojson.Unmarshal(body, &last); err != nil {
					t.Error(err)
				}
			case "log":
				var log logged
				var text pb.LogLine
				if err := json.Unmarshal(body, &log); err != nil || protojson.Unmarshal(log.Line, &text) != nil {
					t.Error(err)
				}
				texts[text.Stream] += text.Text
			case "failure":
				var f failed
				if err := json.Unmarshal(body, &f); err != nil || f.Task != 0 || len(f.Lines) != 2 || !strings.Contains(string(f.Attempt), `"exit_code":3`) {
					t.Errorf("%v: %s", err, body)
				}
			}
		}
	}
	if kinds[0] != "status" || kinds[len(kinds)-1] != "failure" || last.State != pb.JobState_JOB_STATE_FAILED {
		t.Errorf("kinds %v, the last status %v", kinds, last.State)
	}
	if texts["stdout"] != "hello" || texts["stderr"] != "oops" {
		t.Errorf("logs %v", texts)
	}
}

func TestStreamsAreKeptApart(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	got := s.run("job", "run", "--name", "j", "--", "sh", "-c", "echo to out; echo to err >&2")
	if got.out != "to out\n" || !strings.Contains(got.err, "\nto err\n") {
		t.Errorf("%+v", got)
	}
	got = s.run("job", "logs", "j-")
	if got.out != "to out\n" || got.err != "to err\n" || got.code != 0 {
		t.Errorf("job logs: %+v", got)
	}
}

func TestLogsOfTasksAndAttempts(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	script := `echo "task $IRIS_TASK_INDEX attempt $IRIS_ATTEMPT_ID"; seq 5; [ $IRIS_ATTEMPT_ID = 1 ]`
	s.run("job", "run", "--id", "j", "--replicas", "2", "--max-retries-failure", "1", "--", "sh", "-c", script)
	for _, c := range []struct {
		args []string
		code int
		out  string
		err  string
	}{
		{[]string{"--tail", "1"}, 0, "0.1| 5\n1.1| 5\n", ""},
		{[]string{"--tail", "2", "--task", "1"}, 0, "1.1| 4\n1.1| 5\n", ""},
		{[]string{"--attempt", "0", "--task", "0", "--tail", "6"}, 0, "0| task 0 attempt 0\n0| 1\n0| 2\n0| 3\n0| 4\n0| 5\n", ""},
		{[]string{"--tail", "0"}, 0, "", ""},
		{[]string{"--attempt", "7", "--task", "1"}, exitError, "", "iris: task 1 has had no attempt 7\n"},
		{[]string{"--task", "2"}, exitUsage, "", "iris: job j has no task 2; it has 2, counted from 0\n"},
		{[]string{"--follow", "--task", "0", "--tail", "1"}, 0, "0.1| 5\n", ""},
	} {
		s.run(append([]string{"job", "logs", "j"}, c.args...)...).expect(t, c.code, c.out, c.err)
	}
	var lines int
	for line := range strings.Lines(s.run("job", "logs", "j", "-o", "json", "--task", "0").out) {
		var event struct{ Log logged }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Log.Attempt != 1 {
			t.Errorf("%v: %s", err, line)
		}
		lines++
	}
	if lines != 6 {
		t.Errorf("%d lines as JSON", lines)
	}
}

func TestFollowingLogsEndsWithTheJob(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	flag := filepath.Join(s.home, "go")
	s.run("job", "run", "--id", "j", "--no-wait", "--", "sh", "-c", "echo first; until [ -e "+flag+" ]; do sleep 0.05; done; echo last; exit 3").
		expect(t, 0, "j\n", "")
	p := s.start("job", "logs", "-f", "j")
	p.out.until(t, "first\n")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.wait().expect(t, 0, "first\nlast\n", "")
}

// Everything that can be said about a job reaches the job.
func TestEveryFlagOfAJobCounts(t *testing.T) {
	t.Parallel()
	address := booted(t)
	s := at(t, address).with("PASSED_ON=from here")
	if err := os.MkdirAll(filepath.Join(s.home, "workspace"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.home, "workspace", "file"), []byte("from the workspace\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("job", "run", "--id", "parent", "--no-wait", "--", "sleep", "600")
	got := s.run("job", "run", "--id", "child", "--name", "a child", "--parent", "parent", "--cpu", "0.5", "--memory", "256MiB", "--replicas", "2",
		"--group-by", "worker", "--constraint", "worker==w-1", "--constraint", "device-type", "--constraint", "!gpu",
		"-e", "GIVEN=a,b=c", "-e", "PASSED_ON", "--max-retries-failure", "1", "--max-retries-preemption", "2", "--max-task-failures", "1",
		"--timeout", "1m", "--scheduling-timeout", "30s", "--workspace", "workspace", "--port", "http,admin", "--priority", "production", "--exclusive",
		"--", "sh", "-c", `cat file; echo "$IRIS_WORKER_ID/$GIVEN/$PASSED_ON/${IRIS_PORT_HTTP:+port}/${IRIS_PORT_ADMIN:+port}"`)
	for i := range 2 {
		for _, line := range []string{"from the workspace", "w-1/a,b=c/from here/port/port"} {
			if want := fmt.Sprintf("%d| %s\n", i, line); !strings.Contains(got.out, want) {
				t.Errorf("no %q in\n%s%s", want, got.out, got.err)
			}
		}
	}
	if status, err := connected(t, address).Job("child").Status(t.Context()); err != nil || status.ParentJobId != "parent" || status.Name != "a child" {
		t.Errorf("%v, %v", status, err)
	}
	s.run("job", "stop", "parent").expect(t, 0, "job parent is KILLED\n", "")

	// the same id and job again is the same job; another one is refused
	s.run("job", "run", "--id", "once", "--", "echo", "hello").expect(t, 0, "hello\n", "iris: job once is launched\niris: job once SUCCEEDED after TIME\n")
	s.run("job", "run", "--id", "once", "--", "echo", "hello").expect(t, 0, "hello\n", "iris: job once is launched\niris: job once SUCCEEDED after TIME\n")
	if got := s.run("job", "run", "--id", "once", "--", "echo", "bye"); got.code != exitUsage || !strings.Contains(got.err, "once") {
		t.Errorf("another job with the same id: %+v", got)
	}
}

// A task may run jobs of its own: it is told where its controller is.
func TestATaskRunsAJob(t *testing.T) {
	t.Parallel()
	got := at(t, booted(t)).run("job", "run", "--name", "outer", "--", "sh", "-c",
		binary+` job run --name inner --parent "$IRIS_JOB_ID" -- echo from inside`)
	if got.code != 0 || got.out != "from inside\n" || !strings.Contains(got.err, "iris: job inner-") {
		t.Errorf("%+v", got)
	}
}

// Values of a job's environment are secrets: whatever is asked, and whatever goes wrong, they are not shown.
func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	s := at(t, booted(t)).with("TOKEN=" + secret)
	var all strings.Builder
	show := func(args ...string) {
		got := s.run(args...)
		all.WriteString(got.out + got.err)
	}
	for _, form := range []string{"table", "json"} {
		id := "j-" + form
		show("job", "run", "--id", id, "-o", form, "-e", "TOKEN", "-e", "OTHER="+secret, "--", "sh", "-c", "exit 3")
		show("job", "status", id, "-o", form)
		show("task", "list", id, "-o", form)
		show("job", "logs", id, "-o", form)
		show("job", "stop", id, "-o", form)
		show("job", "list", "-o", form)
	}
	show("job", "run", "-e", "IRIS_X="+secret, "--", "true")
	show("job", "run", "-e", "="+secret, "--", "true")
	show("job", "run", "-e", "A="+secret, "--cpu", "none", "--", "true")
	show("job", "run", "-e", "A="+secret+"\x01", "--replicas", "0", "--", "true")
	if strings.Contains(all.String(), secret) {
		t.Errorf("the secret is shown in\n%s", all.String())
	}
	if !strings.Contains(all.String(), "IRIS_X") { // the mistake itself is named
		t.Errorf("no word about the reserved name in\n%s", all.String())
	}
}

func TestCredentialsAreMadeAndRevoked(t *testing.T) {
	t.Parallel()
	s := at(t, "")
	if got := s.run("auth", "init", "--dir", "d"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := s.run("auth", "init", "--dir", "d"); got.code != exitError {
		t.Errorf("a second time: %+v", got)
	}
	got := s.run("auth", "token", "user", "--name", "ann", "--dir", "d")
	if !strings.HasPrefix(got.out, "iris_user_") || strings.Contains(got.err, strings.TrimSpace(got.out)) {
		t.Errorf("auth token: %+v", got)
	}
	list := s.run("auth", "tokens", "--dir", "d").out
	if strings.Contains(list, "iris_user_") {
		t.Errorf("auth tokens shows secrets:\n%s", list)
	}
	var id string
	for line := range strings.Lines(list) {
		if strings.Contains(line, "ann") {
			id = strings.Fields(line)[0]
		}
	}
	s.run("auth", "revoke", id, "--dir", "d").expect(t, 0, "token "+id+" (user ann) is revoked\n", "")
	if got := s.run("auth", "tokens", "--dir", "d"); strings.Contains(got.out, "ann") {
		t.Errorf("after it was revoked:\n%s", got.out)
	}
	if got := s.run("auth", "issue", "worker", "--name", "w-7", "--dir", "d"); got.code != 0 || !strings.Contains(got.out, "w-7") {
		t.Errorf("auth issue: %+v", got)
	}
	if got := s.run("auth", "issue", "king", "--dir", "d"); got.code != exitUsage {
		t.Errorf("a role that is none: %+v", got)
	}
}

package cluster_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"iris/iris/client"
	"iris/iris/cluster"
	pb "iris/iris/proto"
)

// secret is what the environments of the jobs below have somewhere; no answer, error or log may.
const secret = "hunter2"

// Values in a job's environment are secrets (FM-86): whatever becomes of the job, nobody is shown them.
func TestSecretsOfJobsAreShownToNobody(t *testing.T) {
	log := &record{}
	m, err := cluster.Start(local(t, "c"), cluster.Options{
		Functions: functions(), Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	defer stop()
	if err := m.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := m.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // everything is answered

	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"PASSWORD": secret, "PATH": "/" + secret + ":/usr/bin:/bin", "LD_PRELOAD": ""}
	for name, spec := range map[string]client.Spec{
		"succeeds":       {Entrypoint: client.Command("true")},
		"fails":          {Entrypoint: client.Command("sh", "-c", "exit 3")},
		"is killed":      {Entrypoint: client.Command("sh", "-c", "kill -9 $$")},
		"not found":      {Entrypoint: client.Command("no-such-command")},
		"no file":        {Entrypoint: client.Command("/no/such/file")},
		"no interpreter": {Entrypoint: client.Command(script)},
		"a directory":    {Entrypoint: client.Command("/tmp")},
		"too slow":       {Entrypoint: client.Command("sleep", "60"), Timeout: time.Second},
		"no function":    {Entrypoint: client.Function("no-such-function")},
		"function fails": {Entrypoint: client.Function("sleep", "not a duration")},
		"too large":      {Entrypoint: client.Command("true"), CPU: 1000, SchedulingTimeout: 100 * time.Millisecond},
	} {
		spec.Name, spec.ID, spec.Environment = name, strings.ReplaceAll(name, " ", "-"), environment
		job, err := c.Submit(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		s, err := job.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if (s.State == pb.JobState_JOB_STATE_SUCCEEDED) != (name == "succeeds") {
			t.Errorf("%s is %v", name, s)
		}
		tasks, err := job.Tasks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		show(t, "the status of "+name, s)
		for _, task := range tasks {
			show(t, "the task of "+name, task)
		}
		if lines, err := job.Logs(t.Context(), 0); err == nil {
			show(t, "the logs of "+name, &pb.FetchTaskLogsResponse{Lines: lines})
		} else {
			hides(t, "the logs of "+name, err.Error())
		}
	}

	// A launch that is refused shows keys, and what is wrong with a value.
	known := client.Spec{Name: "succeeds", ID: "succeeds", Entrypoint: client.Command("true")}
	for name, refused := range map[string]struct {
		environment map[string]string
		code        codes.Code
		says        string
	}{
		"a value with NUL":    {map[string]string{"PASSWORD": secret + "\x00"}, codes.InvalidArgument, `environment["PASSWORD"] is "(not shown)": it must have no NUL`},
		"a reserved key":      {map[string]string{"IRIS_PASSWORD": secret}, codes.InvalidArgument, `environment key is "IRIS_PASSWORD"`},
		"no key":              {map[string]string{"": secret}, codes.InvalidArgument, `environment key is ""`},
		"a key with a value":  {map[string]string{"PASSWORD=" + secret: ""}, codes.InvalidArgument, `environment key is "PASSWORD=…"`},
		"a key with NUL":      {map[string]string{"PASSWORD\x00" + secret: ""}, codes.InvalidArgument, `environment key is "PASSWORD\x00…"`},
		"another spec":        {map[string]string{"PASSWORD": "not " + secret}, codes.AlreadyExists, "was launched with another spec"},
		"too many, too large": {map[string]string{"PASSWORD": strings.Repeat(secret, 200_000)}, codes.InvalidArgument, "the size of the spec is"},
	} {
		spec := known
		spec.Environment = refused.environment
		_, err := c.Submit(t.Context(), spec)
		if status.Code(err) != refused.code || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%s: %v, want %s", name, err, refused.says)
		}
		hides(t, "the refusal of "+name, fmt.Sprint(err))
	}

	jobs, err := c.Jobs(t.Context(), "")
	if err != nil || len(jobs) == 0 {
		t.Fatal(len(jobs), err)
	}
	for _, job := range jobs {
		show(t, "the list of jobs", job)
	}
	workers, err := c.Workers(t.Context())
	if err != nil || len(workers) == 0 {
		t.Fatal(len(workers), err)
	}
	for _, w := range workers {
		show(t, "the list of workers", w)
	}
	text, err := m.Controller().Describe(t.Context(), time.Now())
	if err != nil || !strings.Contains(text, "succeeds") {
		t.Fatal(text, err)
	}
	hides(t, "the description", text)
	stop()
	if said := log.String(); !strings.Contains(said, "worker registered") {
		t.Errorf("the log has nothing:\n%s", said)
	}
	hides(t, "the log", log.String())
}

// On disk secrets are where nobody but the cluster's own user can read them.
func TestSecretsOfJobsAreOnDiskForTheirOwnerAlone(t *testing.T) {
	dir, workspace := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(workspace, "key"), []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m, c := booted(t, local(t, "c"), cluster.Options{Dir: dir, Durable: true})
	job, err := c.Submit(t.Context(), client.Spec{
		Name: "j", Environment: map[string]string{"PASSWORD": secret}, Workspace: workspace,
		Entrypoint: client.Command("sh", "-c", "cat key > copy; echo up; sleep 60"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for lines := 0; lines == 0; time.Sleep(10 * time.Millisecond) {
		page, err := job.Logs(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		lines = len(page)
	}
	found := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte(secret)) {
			return err
		}
		found++
		if !private(t, dir, path) {
			t.Errorf("others can read %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 3 { // the log, the workspace and what the task made of it
		t.Errorf("the secret was found in %d files", found)
	}
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
}

// private reports whether a file, or a directory on the way to it, is closed to others.
func private(t *testing.T, top, path string) bool {
	t.Helper()
	for ; path != top; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 == 0 {
			return true
		}
	}
	return false
}

// show checks all that a message says.
func show(t *testing.T, what string, m proto.Message) {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	hides(t, what, string(text))
}

func hides(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("%s has the secret:\n%s", what, text)
	}
}

// record is a log that is read while it is written.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

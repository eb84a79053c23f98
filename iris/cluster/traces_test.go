package cluster_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// recorder keeps the spans of a test.
type recorder struct {
	*tracetest.InMemoryExporter
	*sdk.TracerProvider
	began time.Time
}

func newRecorder(options ...sdk.TracerProviderOption) recorder {
	kept := tracetest.NewInMemoryExporter()
	return recorder{kept, sdk.NewTracerProvider(append(options, sdk.WithSyncer(kept))...), time.Now()}
}

// tree writes the spans below one down, indented, in the order in which they began: name and kind, when, and how it went.
func (r recorder) tree(parent trace.SpanID) string {
	var b strings.Builder
	var write func(parent trace.SpanID, depth int)
	spans := r.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), a.EndTime.Compare(b.EndTime), cmp.Compare(a.Name, b.Name))
	})
	write = func(parent trace.SpanID, depth int) {
		for _, s := range spans {
			if s.Parent.SpanID() != parent {
				continue
			}
			fmt.Fprintf(&b, "%s%s %s %v to %v", strings.Repeat("  ", depth), s.Name, s.SpanKind, s.StartTime.Sub(r.began), s.EndTime.Sub(r.began))
			for _, a := range s.Attributes {
				if short, ours := strings.CutPrefix(string(a.Key), "iris."); ours && short != "job.id" {
					fmt.Fprintf(&b, " %s=%s", short, a.Value.String())
				}
			}
			if s.Status.Code == codes.Error {
				fmt.Fprintf(&b, " error=%q", s.Status.Description)
			}
			b.WriteString("\n")
			write(s.SpanContext.SpanID(), depth+1)
		}
	}
	write(parent, 0)
	return b.String()
}

func wantTree(t *testing.T, r recorder, parent trace.Span, want string) {
	t.Helper()
	synctest.Wait()
	if diff := gocmp.Diff(strings.TrimLeft(want, "\n"), r.tree(parent.SpanContext().SpanID())); diff != "" {
		t.Errorf("the spans (-want +got):\n%s", diff)
	}
	inTrace := 0
	for _, s := range r.GetSpans() {
		if s.SpanContext.TraceID() == parent.SpanContext().TraceID() {
			inTrace++
		}
	}
	if lines := strings.Count(want, "\n") - 1; inTrace != lines {
		t.Errorf("the trace has %d spans, %d of them where they belong", inTrace, lines)
	}
}

// One trace shows the way of a job from its launch to its end: through client, controller and worker.
func TestATraceShowsTheWayOfAJob(t *testing.T) {
	workspace := t.TempDir()
	if err := os.WriteFile(filepath.Join(workspace, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		description := local(t, "traced")
		description.Groups[0].MinSlices, description.Groups[0].MaxSlices = 1, 1
		m, c := booted(t, description, cluster.Options{Network: &network.Memory{}, Functions: functions(), Traces: r})
		defer chaos.In(m.Name).Reset()
		for _, rule := range []string{"controller.dispatch", "worker.bundle_download"} {
			if _, err := chaos.In(m.Name).Enable(rule, chaos.Delay(2*time.Second), chaos.Fail(), chaos.MaxFailures(1)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, user := r.Tracer("test").Start(t.Context(), "user")
		retries := int32(1)
		job, err := c.Submit(ctx, client.Spec{Name: "j", Entrypoint: client.Function("sleep", "5s"), Workspace: workspace, MaxRetriesFailure: &retries})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := job.Wait(ctx); err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
			t.Fatalf("the job is %v, %v", s, err)
		}
		// The first try to deliver the first attempt fails after 2 s, and is repeated at once: its backoff is over. The first
		// download fails after 2 s more, which fails the attempt; the second attempt goes well.
		wantTree(t, r, user, `
iris.v1.ControllerService/LaunchJob client 0s to 0s
  iris.v1.ControllerService/LaunchJob server 0s to 0s
    queue internal 0s to 0s task.index=0 attempt.id=0 worker.id=w-0
    dispatch internal 0s to 2s task.index=0 attempt.id=0 worker.id=w-0 try=1 error="chaos: controller.dispatch"
    dispatch internal 2s to 2s task.index=0 attempt.id=0 worker.id=w-0 try=2
      attempt internal 2s to 4s task.index=0 attempt.id=0 worker.id=w-0 attempt.state=FAILED error="chaos: worker.bundle_download"
        build internal 2s to 4s
    dispatch internal 4s to 4s task.index=0 attempt.id=1 worker.id=w-0 try=1
      attempt internal 4s to 9s task.index=0 attempt.id=1 worker.id=w-0 attempt.state=SUCCEEDED exit_code=0
        build internal 4s to 4s
          iris.v1.RegistryService/DownloadBundle client 4s to 4s
            iris.v1.RegistryService/DownloadBundle server 4s to 4s
        run internal 4s to 9s
    queue internal 4s to 4s task.index=0 attempt.id=1 worker.id=w-0
iris.v1.ControllerService/UploadBundle client 0s to 0s
  iris.v1.ControllerService/UploadBundle server 0s to 0s
`)
		user.End()
	})
}

// The trace is in the log: it goes on after its controller was killed.
func TestATraceGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		description := local(t, "traced")
		description.Groups[0].MinSlices, description.Groups[0].MaxSlices = 1, 1
		m, c := booted(t, description, cluster.Options{Network: &network.Memory{}, Functions: functions(), Durable: true, Traces: r})
		full, err := c.Submit(t.Context(), client.Spec{Name: "full", Entrypoint: client.Function("sleep", "20s"), CPU: 4})
		if err != nil {
			t.Fatal(err)
		}
		ctx, user := r.Tracer("test").Start(t.Context(), "user")
		job, err := c.Submit(ctx, client.Spec{Name: "j", Entrypoint: client.Function("sleep", "5s"), CPU: 4})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := m.Kill("c-0"); err != nil {
			t.Fatal(err)
		}
		if err := m.Revive("c-0"); err != nil {
			t.Fatal(err)
		}
		for _, job := range []*client.Job{full, job} {
			if s, err := job.Wait(t.Context()); err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
				t.Fatalf("job %s is %v, %v", job.ID, s, err)
			}
		}
		wantTree(t, r, user, `
iris.v1.ControllerService/LaunchJob client 0s to 0s
  iris.v1.ControllerService/LaunchJob server 0s to 0s
    queue internal 0s to 20s task.index=0 attempt.id=0 worker.id=w-0
    dispatch internal 20s to 20s task.index=0 attempt.id=0 worker.id=w-0 try=1
      attempt internal 20s to 25s task.index=0 attempt.id=0 worker.id=w-0 attempt.state=SUCCEEDED exit_code=0
        run internal 20s to 25s
`)
		user.End()
	})
}

// Without a sampled launch there is no trace of the job, and nothing of it in the log.
func TestAJobWhoseLaunchIsNotSampledHasNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(sdk.WithSampler(sdk.NeverSample()))
		_, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Traces: r})
		ctx, _ := r.Tracer("test").Start(t.Context(), "user")
		wantOneAttempt(t, submittedWithin(ctx, t, c, "j"))
		if spans := r.GetSpans(); len(spans) != 0 {
			t.Errorf("there are spans: %v", spans)
		}
	})
}

func submittedWithin(ctx context.Context, t *testing.T, c *client.Client, name string) *client.Job {
	t.Helper()
	job, err := c.Submit(ctx, client.Spec{Name: name, Entrypoint: client.Function("nothing")})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

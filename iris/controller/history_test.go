package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/controller"
	pb "iris/iris/proto"
)

// events asks for a page.
func (b *bench) events(in *pb.ListEventsRequest) *pb.ListEventsResponse {
	b.Helper()
	out, err := b.ListEvents(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// lines are events in short: "ATTEMPT j/0/0 w-0 ASSIGNED".
func lines(events []*pb.Event) []string {
	var all []string
	for _, e := range events {
		subject := []string{e.JobId}
		if e.TaskIndex != nil {
			subject = append(subject, fmt.Sprint(*e.TaskIndex))
		}
		if e.AttemptId != nil {
			subject = append(subject, fmt.Sprint(*e.AttemptId))
		}
		words := []string{e.Kind.String()[len("EVENT_KIND_"):], strings.Join(subject, "/"), e.WorkerId}
		if e.State != 0 {
			words = append(words, e.State.String()[len("TASK_STATE_"):])
		}
		all = append(all, strings.Join(slices.DeleteFunc(append(words, e.Text), func(s string) bool { return s == "" }), " "))
	}
	return all
}

func wantLines(t *testing.T, got []*pb.Event, want ...string) {
	t.Helper()
	if !slices.Equal(lines(got), want) {
		t.Errorf("the events are\n\t%s\nwant\n\t%s", strings.Join(lines(got), "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestEventsTellWhatHappenedInOrderAndWhy(t *testing.T) {
	inBubble(t, controller.Config{ID: "c-0"}, func(b *bench) {
		w := b.puppet("w-0")
		tries := 0
		w.run = func(context.Context, *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
			if tries++; tries == 1 {
				return nil, status.Error(codes.Unavailable, "cable cut")
			}
			return &pb.RunTaskResponse{}, nil
		}
		b.launch("j")
		time.Sleep(5 * time.Second)
		b.launch("k", onWorker("w-9"))
		w.beat(succeeded("j/0/0"))

		all := b.events(&pb.ListEventsRequest{})
		wantLines(t, all.Events, "LEADS c-0", "REGISTERED w-0", "JOB j PENDING", "ATTEMPT j/0/0 w-0 ASSIGNED",
			"DISPATCH_FAILED j/0/0 w-0 ASSIGNED try 1: Unavailable: cable cut", "JOB k PENDING",
			"ATTEMPT j/0/0 w-0 RUNNING", "ATTEMPT j/0/0 w-0 SUCCEEDED", "TASK j/0 SUCCEEDED", "JOB j SUCCEEDED")
		wantLines(t, b.events(&pb.ListEventsRequest{JobId: "k"}).Events, "JOB k PENDING")
		wantLines(t, b.events(&pb.ListEventsRequest{WorkerId: "w-0", PageSize: 2}).Events, "REGISTERED w-0", "ATTEMPT j/0/0 w-0 ASSIGNED")

		first := b.events(&pb.ListEventsRequest{PageSize: 9})
		wantLines(t, b.events(&pb.ListEventsRequest{Cursor: first.NextCursor}).Events, "JOB j SUCCEEDED")
		if last := b.events(&pb.ListEventsRequest{Cursor: all.NextCursor}); len(last.Events) > 0 || last.NextCursor != all.NextCursor {
			t.Errorf("after the last page comes %v", last)
		}
	})
}

func TestAReaderOfEventsWaitsForTheNextOne(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		at := b.events(&pb.ListEventsRequest{}).NextCursor
		began := time.Now()
		if out := b.events(&pb.ListEventsRequest{Cursor: at, Wait: durationpb.New(time.Hour)}); len(out.Events) > 0 {
			t.Errorf("nothing happened, and it is told of %v", out.Events)
		}
		if waited := time.Since(began); waited != 20*time.Second {
			t.Errorf("it waited for %v, want 20s", waited)
		}
		launched := time.AfterFunc(3*time.Second, func() { b.launch("other"); b.launch("j") })
		defer launched.Stop()
		began = time.Now()
		wantLines(t, b.events(&pb.ListEventsRequest{Cursor: at, JobId: "j", Wait: durationpb.New(10 * time.Second)}).Events, "JOB j PENDING")
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("it waited for %v, want 3s", waited)
		}
	})
}

func TestACursorThatIsNoneIsRefused(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		good := b.events(&pb.ListEventsRequest{}).NextCursor
		for _, in := range []*pb.ListEventsRequest{
			{Cursor: "x"}, {Cursor: good + "0"}, {Cursor: strings.TrimRight(good, "0123456789") + "-1"}, {PageSize: 1001}, {PageSize: -1},
			{Wait: durationpb.New(-time.Second)}, {Last: -1}, {Last: 1001},
		} {
			if _, err := b.ListEvents(b.Context(), in); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v gets %v, want INVALID_ARGUMENT", in, err)
			}
		}
	})
}

func TestAReaderMayBeginWithTheLastEvents(t *testing.T) {
	inBubble(t, controller.Config{ID: "c-0"}, func(b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.launch(id)
		}
		wantLines(t, b.events(&pb.ListEventsRequest{Last: 2}).Events, "JOB b PENDING", "JOB c PENDING")
		wantLines(t, b.events(&pb.ListEventsRequest{Last: 2, JobId: "a"}).Events, "JOB a PENDING")
		wantLines(t, b.events(&pb.ListEventsRequest{Last: 100, PageSize: 2}).Events, "LEADS c-0", "JOB a PENDING")
		out := b.events(&pb.ListEventsRequest{Last: 1})
		b.launch("d")
		wantLines(t, b.events(&pb.ListEventsRequest{Last: 1, Cursor: out.NextCursor}).Events, "JOB d PENDING")
	})
}

func TestTheOldestEventsAreForgottenAndCounted(t *testing.T) {
	inBubble(t, controller.Config{ID: "c-0"}, func(b *bench) {
		b.launch("j", replicas(9_999), onWorker("w-9"))
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "j"}); err != nil {
			t.Fatal(err)
		}
		out := b.events(&pb.ListEventsRequest{PageSize: 1})
		if out.Dropped != 2 { // LEADS and JOB j PENDING: what is left is 9 999 tasks and their job
			t.Errorf("%d events are dropped, want 2", out.Dropped)
		}
		wantLines(t, out.Events, "TASK j/0 KILLED terminated by a user")
	})
}

func TestACursorOfAnotherLeaderBeginsAnew(t *testing.T) {
	inBubble(t, controller.Config{ID: "c-0"}, func(b *bench) {
		out := b.events(&pb.ListEventsRequest{Cursor: "c-9.1/4"})
		wantLines(t, out.Events, "LEADS c-0")
		if !out.Restarted {
			t.Error("nothing says that the events are another leader's")
		}
	})
}

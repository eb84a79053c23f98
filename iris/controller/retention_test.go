package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/controller"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// ended launches jobs that are terminated at once.
func (b *bench) ended(ids ...string) {
	b.Helper()
	for _, id := range ids {
		b.launch(id)
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: id}); err != nil {
			b.Fatal(err)
		}
	}
}

// known are the ids of all jobs, in the order of submission.
func (b *bench) known() string {
	b.Helper()
	var ids []string
	for token := ""; ; {
		page, err := b.ListJobs(b.Context(), &pb.ListJobsRequest{PageToken: token})
		if err != nil {
			b.Fatal(err)
		}
		for _, j := range page.Jobs {
			ids = append(ids, j.JobId)
		}
		if token = page.NextPageToken; token == "" {
			return strings.Join(ids, " ")
		}
	}
}

func (b *bench) wantKnown(when, want string) {
	b.Helper()
	if got := b.known(); got != want {
		b.Errorf("%s there are %q, want %q", when, got, want)
	}
}

func TestJobsAreForgottenWhenTheyAreOld(t *testing.T) {
	inBubble(t, controller.Config{Retention: state.Retention{Age: time.Hour}}, func(b *bench) {
		b.launch("live")
		b.ended("a")
		time.Sleep(30 * time.Minute)
		b.ended("b")
		time.Sleep(30*time.Minute - time.Second)
		b.wantKnown("before the first is old", "live a b")
		time.Sleep(11 * time.Second) // the time between two looks
		b.wantKnown("after an hour", "live b")
		time.Sleep(30 * time.Minute)
		b.wantKnown("after another", "live")
		_, err := b.GetJobStatus(b.Context(), &pb.GetJobStatusRequest{JobId: "a"})
		wantCode(t, err, codes.NotFound, `job "a" is unknown`)
		b.launch("a") // its id is free again
		b.wantKnown("when its id is used again", "live a")
	})
}

func TestTheOldestJobsAreForgottenWhenThereAreMany(t *testing.T) {
	inBubble(t, controller.Config{Retention: state.Retention{Jobs: 2}}, func(b *bench) {
		b.ended("a", "b", "c", "d")
		time.Sleep(50 * time.Second)
		b.wantKnown("within the least time that jobs are kept", "a b c d")
		time.Sleep(20 * time.Second)
		b.wantKnown("after it", "c d")
		time.Sleep(24 * time.Hour)
		b.wantKnown("a day later", "c d")
	})
}

// What a burst leaves goes in as many turns of the loop as it takes, not in one of every 10 s.
func TestABurstIsForgottenAtOnce(t *testing.T) {
	inBubble(t, controller.Config{Retention: state.Retention{Jobs: 1}}, func(b *bench) {
		for i := range 3500 {
			b.ended(fmt.Sprint(i))
		}
		time.Sleep(59 * time.Second) // the least time is not over
		if n := len(strings.Fields(b.known())); n != 3500 {
			b.Errorf("before there are %d", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.wantKnown("after one look", "3499")
	})
}

func TestLostWorkersAreForgotten(t *testing.T) { // FM-27
	inBubble(t, controller.Config{Retention: state.Retention{WorkerAge: time.Hour}}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("j")
		synctest.Wait()
		time.Sleep(time.Hour + time.Minute - time.Second)
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("within the hour it is %s", s)
		}
		time.Sleep(11 * time.Second)
		if s := b.workerState("w-0"); s != "unknown" {
			b.Errorf("after it it is %s", s)
		}
		_, err := b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: "j"})
		wantCode(b.T, err, codes.FailedPrecondition, "worker w-0, which has the logs of attempt j/0/0, is lost")
		if out := w.beat(); !out.RegisterAgain {
			b.Error("it is not asked to register")
		}
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		if s := b.workerState("w-0"); s != "LIVE" {
			b.Errorf("when it is back it is %s", s)
		}
	})
}

func TestWhatIsKeptForEverStays(t *testing.T) {
	inBubble(t, controller.Config{Retention: state.Retention{Jobs: -1, Age: -1, WorkerAge: -1}}, func(b *bench) {
		b.puppet("w-0")
		b.ended("a")
		time.Sleep(26 * time.Hour) // longer than the default of workers
		b.wantKnown("after a day", "a")
		if s := b.workerState("w-0"); s != "LOST" {
			b.Errorf("after a day the worker is %s", s)
		}
	})
}

func TestRetentionHasDefaults(t *testing.T) {
	want := state.Retention{Jobs: 10_000, Age: 7 * 24 * time.Hour, WorkerAge: 24 * time.Hour}
	if got := controller.Retention(state.Retention{}); got != want {
		t.Errorf("unset it is %v, want %v", got, want)
	}
	if got := controller.Retention(state.Retention{Jobs: -1, Age: -1, WorkerAge: -1}); got != (state.Retention{}) {
		t.Errorf("negative it is %v", got)
	}
	want = state.Retention{Jobs: 1, Age: 2, WorkerAge: 3}
	if got := controller.Retention(want); got != want {
		t.Errorf("set it is %v", got)
	}
}

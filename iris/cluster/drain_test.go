package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// A leader that is told to stop has another one lead before it goes: nobody waits for an election.
func TestALeaderThatDrainsHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Controllers: 3})
		job := submitted(t, c, "across", "1m")
		for range 3 {
			old := m.Leader()
			if err := m.Drain(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if leader := m.Leader(); leader == "" || leader == old {
				t.Errorf("after %s has gone %q leads", old, leader)
			}
			began := time.Now()
			wantOneAttempt(t, submitted(t, c, "after-"+old, "0s"))
			if took := time.Since(began); took > 400*time.Millisecond { // an election takes half a second at the least
				t.Errorf("without %s a job took %v", old, took)
			}
			if err := m.Revive(old); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		wantOneAttempt(t, job)
	})
}

// A worker that is told to stop finishes what it runs, and what is new goes elsewhere.
func TestAWorkerThatDrainsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions()})
		job := submitted(t, c, "across", "27s")
		synctest.Wait()
		id := workerOf(t, job, 0)
		began, took, drained := time.Now(), time.Duration(0), make(chan error, 1)
		go func() {
			err := m.Drain(t.Context(), id)
			took = time.Since(began)
			drained <- err
		}()
		time.Sleep(time.Second)
		for i := range 8 { // more than the other worker holds at once
			next := submitted(t, c, fmt.Sprint(i), "1s")
			wantOneAttempt(t, next)
			if other := workerOf(t, next, 0); other == id {
				t.Errorf("%s drains and gets a new task", id)
			}
		}
		wantOneAttempt(t, job)
		if err := <-drained; err != nil || took != 27*time.Second {
			t.Errorf("it drained for %v: %v", took, err)
		}
		if err := m.Revive(id); err != nil {
			t.Fatal(err)
		}
		if err := m.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		workers, err := c.Workers(t.Context())
		if err != nil || workers[0].Draining || workers[1].Draining {
			t.Errorf("when it is back the workers are %v, %v", workers, err)
		}
	})
}

// What lasts longer than the worker waits is a preemption, and goes on elsewhere.
func TestWhatOutlastsADrainIsPreempted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions()})
		job := submitted(t, c, "long", "90s")
		synctest.Wait()
		id, began := workerOf(t, job, 0), time.Now()
		if err := m.Drain(t.Context(), id); err != nil || time.Since(began) != time.Minute {
			t.Errorf("it drained for %v: %v", time.Since(began), err)
		}
		s, err := job.Wait(t.Context())
		if err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED || s.PreemptionCount != 1 || s.FailureCount != 0 {
			t.Fatalf("the job is %v, %v", s, err)
		}
		tasks, err := job.Tasks(t.Context())
		if err != nil || len(tasks[0].Attempts) != 2 {
			t.Fatalf("its task is %v, %v", tasks, err)
		}
		first, second := tasks[0].Attempts[0], tasks[0].Attempts[1]
		if first.State != pb.TaskState_TASK_STATE_WORKER_FAILED || first.Error != "worker "+id+" was drained" || second.WorkerId == id {
			t.Errorf("the attempts are %v and %v", first, second)
		}
	})
}

func workerOf(t *testing.T, job *client.Job, attempt int) string {
	t.Helper()
	tasks, err := job.Tasks(t.Context())
	if err != nil || len(tasks[0].Attempts) <= attempt {
		t.Fatalf("the tasks are %v, %v", tasks, err)
	}
	return tasks[0].Attempts[attempt].WorkerId
}

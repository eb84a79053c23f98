package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// submitted launches a task that sleeps.
func submitted(t *testing.T, c *client.Client, name, sleep string) *client.Job {
	t.Helper()
	job, err := c.Submit(t.Context(), client.Spec{Name: name, Entrypoint: client.Function("sleep", sleep)})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// wantOneAttempt waits for a job, which must succeed in one attempt.
func wantOneAttempt(t *testing.T, job *client.Job) {
	t.Helper()
	s, err := job.Wait(t.Context())
	if err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
		t.Fatalf("job %s is %v, %v", job.ID, s, err)
	}
	tasks, err := job.Tasks(t.Context())
	if err != nil || len(tasks[0].Attempts) != 1 {
		t.Errorf("its task is %v, %v", tasks, err)
	}
}

func TestAControllerComesBackToWhatItLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Durable: true})
		job := submitted(t, c, "across", "1m")
		for range 3 {
			time.Sleep(10 * time.Second)
			if err := m.Kill("c-0"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			if err := m.Revive("c-0"); err != nil {
				t.Fatal(err)
			}
		}
		wantOneAttempt(t, job)
		if err := m.Controller().Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestThreeControllersSurviveTheLossOfTheirLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Controllers: 3})
		job := submitted(t, c, "across", "1m")
		for range 3 {
			old := m.Leader()
			if err := m.Kill(old); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			wantOneAttempt(t, submitted(t, c, "after-"+old, "0s"))
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("without %s a job took %v", old, took)
			}
			if err := m.Revive(old); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		wantOneAttempt(t, job)
		all, err := c.Controllers(t.Context())
		if err != nil || len(all) != 3 {
			t.Errorf("the controllers are %v, %v", all, err)
		}
	})
}

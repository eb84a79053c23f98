package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
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

// failing is a controller that has failed and is to be started again in a moment.
func failing(t *testing.T) (*running, network.Network) {
	t.Helper()
	n := &network.Memory{}
	m, c := booted(t, local(t, "c"), cluster.Options{
		Network: n, Functions: functions(), Durable: true, Restart: 2 * time.Second,
	})
	t.Cleanup(chaos.In("c").Reset)
	if _, err := chaos.In("c").Enable("journal.before_append", chaos.MaxFailures(1)); err != nil {
		t.Fatal(err)
	}
	launched := make(chan error, 1)
	go func() { // it is tried again until a controller takes it
		_, err := c.Submit(context.Background(), client.Spec{Name: "j", Entrypoint: client.Function("nothing")})
		launched <- err
	}()
	t.Cleanup(func() {
		if err := <-launched; err != nil {
			t.Error(err)
		}
	})
	time.Sleep(time.Second)
	if err := chaos.In("c").Verify(); err != nil || m.Controller() != nil {
		t.Fatal("it has not failed", err)
	}
	return m, n
}

func TestAControllerThatIsKilledAfterAFailureStaysDownUntilItIsRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := failing(t)
		if err := m.Kill("c-0"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if m.Controller() != nil {
			t.Error("it was killed, and runs")
		}
		if err := m.Revive("c-0"); err != nil {
			t.Error(err)
		}
	})
}

func TestAControllerThatIsRevivedAfterAFailureIsNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := failing(t)
		if err := m.Revive("c-0"); err != nil {
			t.Fatal(err)
		}
		revived := m.Controller()
		time.Sleep(10 * time.Second)
		if m.Controller() != revived {
			t.Error("it was started twice")
		}
	})
}

func TestAControllerThatCannotBeStartedAfterAFailureIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, n := failing(t)
		taken, err := n.Listen(m.Address())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if m.Controller() != nil {
			t.Error("it runs, and somebody else has its address")
		}
		if err := taken.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if m.Controller() == nil {
			t.Error("it was not started")
		}
	})
}

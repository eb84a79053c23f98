package cluster

import (
	"cmp"
	"time"

	"iris/iris/config"
	"iris/iris/state"
)

// MakeLocalConfig makes a description fit for one machine: the controller listens on a free loopback port, workers look
// at their attempts ten times a second, and what is hopeless fails after 20 s and one round of dispatches, not after
// minutes; whatever the file says.
//
// Groups that scale do so in seconds, at the pace of localPace and with two looks a second, because a machine that is a
// process is there at once and costs nothing. That is filled in only where the file says nothing, neither for all groups nor
// for one: who writes down a pace tries out that pace.
func MakeLocalConfig(c config.Cluster) config.Cluster {
	c.Controller.Address = ""
	c.Controller.NoWorkerGrace = 20 * time.Second
	c.Controller.DispatchRounds = 1
	c.Worker.PollInterval = 100 * time.Millisecond
	c.Autoscaler.EvaluationInterval = cmp.Or(c.Autoscaler.EvaluationInterval, 500*time.Millisecond)
	c.Autoscaler.ListInterval = cmp.Or(c.Autoscaler.ListInterval, time.Second)
	c.Autoscaler.Pace = config.Pace(state.Pace(c.Autoscaler.Pace).Or(localPace))
	return c
}

// localPace is that of groups on one machine. What it leaves open is as everywhere.
var localPace = state.Pace{
	ScaleUpCooldown:   time.Second,
	ScaleDownCooldown: 5 * time.Second,
	IdleThreshold:     30 * time.Second,
	BackoffInitial:    time.Second,
	BackoffMax:        30 * time.Second,
	QuotaTimeout:      10 * time.Second,
	RequestingTimeout: 30 * time.Second,
	BootTimeout:       30 * time.Second,
	InitTimeout:       time.Minute,
	UnhealthyTimeout:  15 * time.Second,
	ShortLived:        30 * time.Second,
}

package config

import (
	"time"

	"iris/iris/state"
)

// Autoscaler says how often the controller looks at its scale groups, and how fast they grow and shrink.
type Autoscaler struct {
	EvaluationInterval time.Duration `yaml:"evaluation_interval"` // the least time between two decisions; default 10 s
	ListInterval       time.Duration `yaml:"list_interval"`       // between two lists of what a platform has; default 10 s
	Pace               Pace          `yaml:"pace"`                // of every group that says nothing else
}

// Pace is [state.Pace] as it stands in a file: see there for what each of them means. Those that are zero are those of
// Autoscaler.Pace, and where that says nothing either, those of [state.DefaultPace].
type Pace struct {
	ScaleUpCooldown   time.Duration `yaml:"scale_up_cooldown"`
	ScaleDownCooldown time.Duration `yaml:"scale_down_cooldown"`
	ScaleDownRate     int           `yaml:"scale_down_rate"` // slices a minute
	IdleThreshold     time.Duration `yaml:"idle_threshold"`
	BackoffInitial    time.Duration `yaml:"backoff_initial"`
	BackoffMax        time.Duration `yaml:"backoff_max"`
	QuotaTimeout      time.Duration `yaml:"quota_timeout"`
	RequestingTimeout time.Duration `yaml:"requesting_timeout"`
	BootTimeout       time.Duration `yaml:"boot_timeout"`
	InitTimeout       time.Duration `yaml:"init_timeout"`
	UnhealthyTimeout  time.Duration `yaml:"unhealthy_timeout"`
	ShortLived        time.Duration `yaml:"short_lived"`
}

// pace is that of a group.
func (c Cluster) pace(g Group) state.Pace {
	return state.Pace(g.Pace).Or(state.Pace(c.Autoscaler.Pace)).Or(state.DefaultPace())
}

// checkAutoscaler finds what is wrong with what all groups share.
func (r *review) checkAutoscaler(a Autoscaler) {
	r.duration("autoscaler.evaluation_interval", a.EvaluationInterval)
	r.duration("autoscaler.list_interval", a.ListInterval)
	r.checkPace("autoscaler.pace", a.Pace)
}

// checkPace finds what is wrong with a pace, which is at a place in the file.
func (r *review) checkPace(at string, p Pace) {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"scale_up_cooldown", p.ScaleUpCooldown},
		{"scale_down_cooldown", p.ScaleDownCooldown},
		{"idle_threshold", p.IdleThreshold},
		{"backoff_initial", p.BackoffInitial},
		{"backoff_max", p.BackoffMax},
		{"quota_timeout", p.QuotaTimeout},
		{"requesting_timeout", p.RequestingTimeout},
		{"boot_timeout", p.BootTimeout},
		{"init_timeout", p.InitTimeout},
		{"unhealthy_timeout", p.UnhealthyTimeout},
		{"short_lived", p.ShortLived},
	} {
		r.duration(at+"."+d.key, d.value)
	}
	if p.ScaleDownRate < 0 {
		r.fail(at+".scale_down_rate", "is %d; it cannot be negative", p.ScaleDownRate)
	}
	if p.BackoffInitial > 0 && p.BackoffMax > 0 && p.BackoffMax < p.BackoffInitial {
		r.fail(at+".backoff_max", "is %v, below backoff_initial %v; raise the one or lower the other", p.BackoffMax, p.BackoffInitial)
	}
}

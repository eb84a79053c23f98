package state

import (
	"cmp"
	"time"
)

// DefaultPace is the pace of a group for which nothing is said.
func DefaultPace() Pace {
	return Pace{
		ScaleUpCooldown:   time.Minute,
		ScaleDownCooldown: 5 * time.Minute,
		ScaleDownRate:     10,
		IdleThreshold:     5 * time.Minute,
		BackoffInitial:    5 * time.Second,
		BackoffMax:        5 * time.Minute,
		QuotaTimeout:      5 * time.Minute,
		RequestingTimeout: 2 * time.Minute,
		BootTimeout:       5 * time.Minute,
		InitTimeout:       10 * time.Minute,
		UnhealthyTimeout:  5 * time.Minute,
		ShortLived:        5 * time.Minute,
	}
}

// Or is the pace with what it leaves open, which is zero, taken from another. One bound of the backoff that comes from there
// gives way to one that is said here: who sets only BackoffMax to 2 s wants no pause above it.
func (p Pace) Or(other Pace) Pace {
	all := Pace{
		ScaleUpCooldown:   cmp.Or(p.ScaleUpCooldown, other.ScaleUpCooldown),
		ScaleDownCooldown: cmp.Or(p.ScaleDownCooldown, other.ScaleDownCooldown),
		ScaleDownRate:     cmp.Or(p.ScaleDownRate, other.ScaleDownRate),
		IdleThreshold:     cmp.Or(p.IdleThreshold, other.IdleThreshold),
		BackoffInitial:    cmp.Or(p.BackoffInitial, other.BackoffInitial),
		BackoffMax:        cmp.Or(p.BackoffMax, other.BackoffMax),
		QuotaTimeout:      cmp.Or(p.QuotaTimeout, other.QuotaTimeout),
		RequestingTimeout: cmp.Or(p.RequestingTimeout, other.RequestingTimeout),
		BootTimeout:       cmp.Or(p.BootTimeout, other.BootTimeout),
		InitTimeout:       cmp.Or(p.InitTimeout, other.InitTimeout),
		UnhealthyTimeout:  cmp.Or(p.UnhealthyTimeout, other.UnhealthyTimeout),
		ShortLived:        cmp.Or(p.ShortLived, other.ShortLived),
	}
	switch {
	case p.BackoffMax == 0:
		all.BackoffMax = max(all.BackoffMax, p.BackoffInitial)
	case p.BackoffInitial == 0:
		all.BackoffInitial = min(all.BackoffInitial, p.BackoffMax)
	}
	return all
}

// NextDown is when another idle slice may be given back after one was, as far as the rate goes: up to a minute's worth at
// once, and then one at a time.
func (p Pace) NextDown(now, next time.Time) time.Time {
	each := time.Minute / time.Duration(max(p.ScaleDownRate, 1))
	if least := now.Add(each - time.Minute); next.Before(least) {
		next = least
	}
	return next.Add(each)
}

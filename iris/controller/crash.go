package controller

import (
	"fmt"

	"iris/chaos"
	"iris/iris/journal"
)

// The places after a commit where a controller may crash; those before are the journal's (design §5). A firing ends the
// controller as a crash of its process would: what was not revealed stays unrevealed.
var (
	effectSite = chaos.NewSite("journal.before_effect",
		"an entry is committed and its orders have not left: the controller crashes", chaos.CanFail, "controller").Carrying()
	answerSite = chaos.NewSite("journal.before_answer",
		"an entry is committed and its answers have not left: the controller crashes", chaos.CanFail, "controller").Carrying()
)

// crash passes a site of a crash.
func (l *loop) crash(site *chaos.Site) error {
	if err := site.Hit(l.ctx, l); err != nil {
		return fmt.Errorf("%w: %w", journal.ErrCrashed, err)
	}
	return nil
}

// ChaosLabels are what chaos rules can tell a controller by.
func (l *loop) ChaosLabels() chaos.Labels {
	return chaos.Labels{"cluster": l.config.Cluster, "controller": l.config.ID}
}

package journal

import (
	"errors"

	"iris/chaos"
)

// The places where chaos may interfere with a durable journal (design §5). A failure at one of the first three means
// that this controller crashes there: see [ErrCrashed].
var (
	beforeAppend = chaos.NewSite("journal.before_append",
		"before an entry is handed to the log: this controller crashes, and the entry is in nobody's log",
		chaos.CanAll, "controller").Carrying()
	afterAppend = chaos.NewSite("journal.after_append",
		"an entry is in this voter's log on disk, and not committed yet: this controller crashes",
		chaos.CanAll, "controller").Carrying()
	afterCommit = chaos.NewSite("journal.after_commit",
		"an entry is committed and applied here, and nobody was told: this controller crashes",
		chaos.CanAll, "controller").Carrying()
	diskSite = chaos.NewSite("journal.disk",
		"before the log writes (label op: write, allocate or snapshot): the disk is full, or fails with the rule's errno",
		chaos.CanFail|chaos.CanCall, "controller").Carrying("op")
)

// ErrCrashed is why a journal is over that chaos crashed. It appends, applies and sends nothing from that instant
// on, as if the process had died, and its files stay as they are; only Close remains to be called.
var ErrCrashed = errors.New("this controller was crashed by chaos")

// anyArmed reports whether somebody watches the single entries on their way.
func anyArmed() bool { return beforeAppend.Armed() || afterAppend.Armed() || afterCommit.Armed() }

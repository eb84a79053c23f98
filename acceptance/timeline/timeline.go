package timeline

import (
	"strconv"
	"time"
)

// Run is one run of the suite, or of random stories.
type Run struct {
	// Title says what ran: "the specs", "random stories".
	Title string `json:"title"`
	// Outcome is what came of it, in words. Empty: how many scenarios survived.
	Outcome string `json:"outcome,omitempty"`
	// Repeat is the command that repeats it.
	Repeat string `json:"repeat,omitempty"`
	Began  string `json:"began,omitempty"` // as people write an instant
	Took   Span   `json:"took"`
	// Scenarios are in the order in which they are listed.
	Scenarios []Scenario `json:"scenarios"`
	// Sites say what each chaos site does, by its name.
	Sites map[string]string `json:"sites,omitempty"`
	// Counts are what was counted over all, for random stories.
	Counts []Count `json:"counts,omitempty"`
}

// Count is a line of a table: a name, and text with numbers.
type Count struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Scenario is one of the rows of a run's table: all specs of a name in one mode.
type Scenario struct {
	// ID tells it from all others, and is what a link to it ends with: "smoke", "smoke-realtime".
	ID   string `json:"id"`
	Name string `json:"name"`
	// Number is its place among those that Iris is measured by; empty: it is not one of them.
	Number   string `json:"number,omitempty"`
	Text     string `json:"text"` // what it shows
	Mode     string `json:"mode"`
	Specs    int    `json:"specs"`
	Failed   int    `json:"failed"`
	Faults   int    `json:"faults"`
	Sites    string `json:"sites,omitempty"` // the faults, by site
	Attempts int    `json:"attempts"`
	Lasted   Span   `json:"lasted"` // the longest, by its own clock
	Took     Span   `json:"took"`   // all together, in real time
	// Timelines are one for each spec.
	Timelines []Timeline `json:"timelines"`
}

// Timeline is the story of one cluster. All instants are times since it was started.
type Timeline struct {
	Title string `json:"title"`
	// Failure is why the spec failed; empty: it passed.
	Failure string `json:"failure,omitempty"`
	// Repeat is the command that tells the story again.
	Repeat string  `json:"repeat,omitempty"`
	Lasts  Span    `json:"lasts"`
	Lanes  []Lane  `json:"lanes"`
	Bars   []Bar   `json:"bars,omitempty"`
	Beats  []Beat  `json:"beats,omitempty"`
	Arrows []Arrow `json:"arrows,omitempty"`
	// Events are all that happened, oldest first: the same story in words.
	Events []Event `json:"events,omitempty"`
	// Notes say what is missing.
	Notes []string `json:"notes,omitempty"`
}

// Role is what a lane is about.
type Role string

// The roles, in the order of their lanes.
const (
	Jobs       Role = "jobs"
	Controller Role = "controller"
	Slice      Role = "slice"
	Worker     Role = "worker"
)

// Lane is a participant: all its bars, marks and ticks are in it.
type Lane struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Rows is how many bars there are at once, at the most.
	Rows int `json:"rows"`
}

// Whole is the row of a bar that is behind the others: what the participant itself was.
const Whole = -1

// Bar is something that lasted: a job, an attempt, a slice, or a state of a participant.
type Bar struct {
	Lane  int    `json:"lane"`
	Row   int    `json:"row"` // from 0 on, or Whole
	Label string `json:"label,omitempty"`
	// Phases are the states it went through, at least one.
	Phases []Phase `json:"phases"`
	End    Span    `json:"end"`
	// How it ended; empty: it had not.
	How string `json:"how,omitempty"`
	Why string `json:"why,omitempty"`
	// Freed is when its capacity was free, if that was later than its end.
	Freed Span `json:"freed,omitempty"`
}

// Phase is a state and when it began.
type Phase struct {
	At    Span   `json:"at"`
	State string `json:"state"`
}

// Beat is a train of heartbeats of a worker that arrived: so many, the first then, each so long after the one before.
type Beat struct {
	Lane  int  `json:"lane"`
	First Span `json:"first"`
	Every Span `json:"every,omitempty"`
	Count int  `json:"count"`
}

// Fate is what became of a call.
type Fate string

// The fates.
const (
	Answered    Fate = "answered"
	Late        Fate = "late"         // it took a second or longer
	Refused     Fate = "refused"      // the answer was an error
	RequestLost Fate = "request lost" // it never arrived
	ReplyLost   Fate = "reply lost"   // it did arrive, and its caller does not know
)

// Arrow is a call from one participant to another.
type Arrow struct {
	From    int    `json:"from"`
	To      int    `json:"to"`
	Text    string `json:"text"` // what was called: "RunTask train: attempt 0"
	Sent    Span   `json:"sent"`
	Arrived Span   `json:"arrived"` // if it never did: when its caller gave up
	Ended   Span   `json:"ended"`
	Fate    Fate   `json:"fate"`
	Why     string `json:"why,omitempty"`
}

// Kind is what an event is about.
type Kind string

// The kinds.
const (
	JobMoved       Kind = "job"
	TaskMoved      Kind = "task"
	AttemptMoved   Kind = "attempt"
	DispatchFailed Kind = "dispatch failed"
	Released       Kind = "released"
	Registered     Kind = "registered"
	Lost           Kind = "lost"
	SliceMoved     Kind = "slice"
	Leads          Kind = "leads"
	Fault          Kind = "fault"  // one that was ordered: a rule of chaos fired, a fault of the network began or ended
	Killed         Kind = "killed" // a participant was ended by order
	Started        Kind = "started"
	CallFailed     Kind = "call" // a call that failed, and no rule of chaos says why
)

// Event is one thing that happened, in words.
type Event struct {
	At   Span   `json:"at"`
	Lane int    `json:"lane"`
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	Why  string `json:"why,omitempty"`
}

// Span is a time since the beginning, or how long something took. In JSON it is a number of milliseconds.
type Span time.Duration

// MarshalJSON writes milliseconds, with no more digits than it takes: to a microsecond.
func (s Span) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(s).Round(time.Microsecond))/float64(time.Millisecond), 'f', -1, 64), nil
}

// UnmarshalJSON reads them.
func (s *Span) UnmarshalJSON(text []byte) error {
	ms, err := strconv.ParseFloat(string(text), 64)
	*s = Span(time.Duration(ms*1000+0.5) * time.Microsecond)
	return err
}

// String is for people: "3.2s", "1m20s".
func (s Span) String() string { return Short(time.Duration(s)) }

// Short rounds a duration to what a reader of a table wants.
func Short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

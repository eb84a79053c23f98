package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "iris/acceptance"
	pb "iris/iris/proto"
)

// diary is a file in which every task that really runs writes a line when it begins and one when it ends, each with the
// attempt it is. The order of the lines is the order in which that happened.
type diary struct {
	path  string
	locks string // a directory with a lock for each task, held by whatever runs of it
}

// script keeps the diary: $1 its path, $2 the locks, $3 the seconds to take, $4 how often to fail before, $5 with which
// exit code, $6 the index of the only task that does; empty: all do.
const script = `
diary=$1 attempt=$IRIS_TASK_ID/$IRIS_ATTEMPT_ID
exec 9>"$2/$IRIS_JOB_ID.$IRIS_TASK_INDEX"
flock -n 9 || echo "$attempt overlaps" >>"$diary"
echo "$attempt begins" >>"$diary"
sleep "$3"
code=0
if [ -z "$6" ] || [ "$6" = "$IRIS_TASK_INDEX" ]; then
	[ "$(grep -c "^$IRIS_TASK_ID/[0-9]* ends $5\$" "$diary")" -ge "$4" ] || code=$5
fi
echo "$attempt ends $code" >>"$diary"
exit "$code"
`

// newDiary is an empty diary in a directory.
func newDiary(dir string) (*diary, error) {
	d := &diary{path: filepath.Join(dir, "diary"), locks: filepath.Join(dir, "locks")}
	if err := os.Mkdir(d.locks, 0o700); err != nil {
		return nil, err
	}
	return d, os.WriteFile(d.path, nil, 0o600)
}

// line is one entry of the diary.
type line struct {
	attempt string // its uid
	task    string // the part of it that is the task's
	what    string // "begins", "overlaps", "ends 3"
}

func (d *diary) read() ([]line, error) {
	text, err := os.ReadFile(d.path)
	if err != nil {
		return nil, err
	}
	return parse(string(text))
}

func parse(text string) ([]line, error) {
	var lines []line
	for entry := range strings.Lines(text) {
		attempt, what, ok := strings.Cut(strings.TrimSuffix(entry, "\n"), " ")
		slash := strings.LastIndexByte(attempt, '/')
		if !ok || slash < 0 {
			return nil, fmt.Errorf("the diary has a line %q", entry)
		}
		lines = append(lines, line{attempt, attempt[:slash], what})
	}
	return lines, nil
}

// judge compares what the controller says of all tasks with what they wrote, and returns every contradiction. If lossy,
// what ran may have been lost with its keeper.
func judge(tasks []*pb.TaskStatus, lines []line, lossy bool) []string {
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	byTask := map[string][]line{}
	for _, l := range lines {
		byTask[l.task] = append(byTask[l.task], l)
	}
	for _, t := range tasks {
		judgeTask(t, byTask[t.TaskId], lossy, fail)
		delete(byTask, t.TaskId)
	}
	for task, lines := range byTask {
		fail("%s wrote %v, and no job has it", task, lines)
	}
	return wrong
}

func judgeTask(t *pb.TaskStatus, lines []line, lossy bool, fail func(string, ...any)) {
	success := "" // the attempt that is one
	for _, a := range t.Attempts {
		if pb.JobState(a.State) == SUCCEEDED {
			success = a.AttemptUid
		}
	}
	wrote, over := map[string][]string{}, false
	for _, l := range lines {
		switch {
		case l.what == "overlaps":
			fail("%s began while another attempt of its task ran", l.attempt)
			continue
		case l.what == "begins" && over:
			fail("%s began after %s had succeeded", l.attempt, success)
		case l.attempt == success && l.what == "ends 0":
			over = true
		}
		wrote[l.attempt] = append(wrote[l.attempt], l.what)
	}
	var failures, preemptions int32
	for _, a := range t.Attempts {
		did := wrote[a.AttemptUid]
		delete(wrote, a.AttemptUid)
		if may := mayHaveWritten(a, lossy); !slices.Contains(may, strings.Join(did, ", ")) {
			fail("%s is %v %q and wrote %q", a.AttemptUid, a.State, a.Error, did)
		}
		switch pb.JobState(a.State) {
		case FAILED:
			failures++
		case WORKERFAILED:
			if a.StartedAt != nil {
				preemptions++
			}
		}
	}
	for attempt, did := range wrote {
		fail("%s wrote %q, and its task has no such attempt", attempt, did)
	}
	if failures != t.FailureCount || preemptions != t.PreemptionCount {
		fail("%s counts %d failures and %d preemptions, and has had %d and %d",
			t.TaskId, t.FailureCount, t.PreemptionCount, failures, preemptions)
	}
}

// mayHaveWritten is what an attempt that ended so may have written.
func mayHaveWritten(a *pb.TaskAttempt, lossy bool) []string {
	const nothing, began, done = "", "begins", "begins, ends 0"
	switch pb.JobState(a.State) {
	case SUCCEEDED:
		return []string{done}
	case FAILED:
		if code, exited := strings.CutPrefix(a.Error, "exit code "); exited {
			return []string{began + ", ends " + code}
		}
		return []string{began}
	case WORKERFAILED:
		if lossy {
			return []string{nothing, began, done, "begins, ends 4", "begins, ends 5"}
		}
		return []string{nothing} // what ran goes on when its worker is killed
	case COSCHEDFAILED:
		return []string{nothing, began, done}
	case KILLED:
		return []string{nothing, began}
	}
	return nil // it is not over
}

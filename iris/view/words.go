package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
)

// JobState is a state in one word: RUNNING.
func JobState(s pb.JobState) string { return strings.TrimPrefix(s.String(), "JOB_STATE_") }

// TaskState is a state in one word.
func TaskState(s pb.TaskState) string { return strings.TrimPrefix(s.String(), "TASK_STATE_") }

// WorkerState is a state in one word.
func WorkerState(s pb.WorkerState) string { return strings.TrimPrefix(s.String(), "WORKER_STATE_") }

// VMState is a state of a slice or a machine in one word.
func VMState(s pb.VmState) string { return strings.TrimPrefix(s.String(), "VM_STATE_") }

func availabilityWord(a pb.ScaleGroupStatus_Availability) string {
	return strings.TrimPrefix(a.String(), "AVAILABILITY_")
}

// SliceEventKind is what happened to a slice, in one word.
func SliceEventKind(k pb.SliceEventKind) string {
	return strings.TrimPrefix(k.String(), "SLICE_EVENT_KIND_")
}

// states are coloured by what they mean to the user.
var states = map[string]colour{
	"PENDING": yellow, "DRAINING": yellow, "SILENT": yellow, "ASSIGNED": cyan, "BUILDING": cyan, "RUNNING": cyan, "SUCCEEDED": green, "LIVE": green,
	"FAILED": red, "WORKER_FAILED": red, "UNSCHEDULABLE": red, "COSCHED_FAILED": red, "LOST": red, "KILLED": grey,

	"REQUESTING": cyan, "BOOTING": cyan, "INITIALIZING": cyan, "READY": green, "UNHEALTHY": yellow, "STOPPING": grey,
	"TERMINATED": grey, "PREEMPTED": red,

	"AVAILABLE": green, "COOLDOWN": cyan, "BACKOFF": red, "QUOTA_EXCEEDED": yellow, "AT_MAX": yellow, "REMOVED": grey,

	"NOT_DELIVERED": red, "RELEASED": grey, "REGISTERED": green, "LEADS": green,

	"REQUESTED": cyan, "CREATED": cyan, "ADOPTED": cyan, "REFUSED": red, "ORPHAN": yellow, "IDLE": grey,
	"SURPLUS": grey, "GONE": grey,
}

func state(word string) cell { return cell{text: word, colour: states[word]} }

// Duration writes a time for people, in at most two units: 120ms, 3.2s, 12s, 3m12s, 2h5m, 3d4h.
func Duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// between is the time from one instant to another, or to now while that has not come; empty before the first.
func between(from, to *timestamppb.Timestamp, now time.Time) string {
	switch {
	case from == nil:
		return ""
	case to == nil:
		return Duration(now.Sub(from.AsTime()))
	}
	return Duration(to.AsTime().Sub(from.AsTime()))
}

// ago is how long ago something was.
func ago(at *timestamppb.Timestamp, now time.Time) string {
	if at == nil {
		return ""
	}
	return between(at, nil, now) + " ago"
}

// clock is a time of day, in UTC, after the month and the day if that is not today.
func clock(at *timestamppb.Timestamp, now time.Time) string {
	t := at.AsTime()
	if now.UTC().Format(time.DateOnly) == t.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("01-02 15:04:05")
}

// pairs writes attributes in the order of their keys: "device-type=cpu zone=eu-1".
func pairs(attributes map[string]string) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		texts = append(texts, key+"="+attributes[key])
	}
	return strings.Join(texts, " ")
}

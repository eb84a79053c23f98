package swarm

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
)

// Spec is a story as a spec in Go, ready to be pasted into the suite and to be read.
func Spec(t Teller, s story.Story, violation error) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	why, _, _ := strings.Cut(violation.Error(), "\n")
	line("It(%q, func() {", fmt.Sprintf("%s story of seed %d: %s", t.Name, s.Seed, why))
	line("\ttold := %s.Tell(story.Story{", map[string]string{"exact": "swarm.Exact()", "real": "swarm.Real(t)"}[t.Name])
	line("\t\tSeed: %d, Length: %s,", s.Seed, span(s.Length))
	line("\t\tCluster: %s,", literal(reflect.ValueOf(s.Cluster)))
	line("\t\tJobs: []story.Job{")
	for _, j := range s.Jobs {
		line("\t\t\t%s,", strings.TrimPrefix(literal(reflect.ValueOf(j)), "story.Job"))
	}
	line("\t\t},")
	line("\t\tFaults: []fault.Fault{")
	for _, f := range s.Faults {
		line("\t\t\t%s,", call(f))
	}
	line("\t\t},")
	line("\t})")
	line("\tExpect(told.Violation).NotTo(HaveOccurred())")
	line("})")
	return b.String()
}

// literal is a value in Go, without the fields that are zero.
func literal(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[fault.Span]():
		return span(fault.Span(v.Int()))
	case v.Type() == reflect.TypeFor[*int32]():
		return fmt.Sprintf("client.Limit(%d)", v.Elem().Int())
	}
	switch v.Kind() {
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				fields = append(fields, v.Type().Field(i).Name+": "+literal(f))
			}
		}
		return v.Type().String() + "{" + strings.Join(fields, ", ") + "}"
	case reflect.Slice:
		var elements []string
		for i := range v.Len() {
			elements = append(elements, strings.TrimPrefix(literal(v.Index(i)), v.Type().Elem().String()))
		}
		return v.Type().String() + "{" + strings.Join(elements, ", ") + "}"
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

func span(s fault.Span) string { return fmt.Sprintf("fault.Span(%s)", duration(s)) }

// duration is a length of time in Go.
func duration(s fault.Span) string {
	switch d := time.Duration(s); {
	case d%time.Minute == 0 && d != 0:
		return fmt.Sprintf("%d * time.Minute", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	default:
		return fmt.Sprintf("%d * time.Millisecond", d/time.Millisecond)
	}
}

// call is a fault in Go: the call that makes it.
func call(f fault.Fault) string {
	made := map[fault.Kind]string{
		fault.KindPartition: fmt.Sprintf("Partition(%q, %q)", f.A, f.B),
		fault.KindCut:       fmt.Sprintf("Cut(%q, %q)", f.A, f.B),
		fault.KindDelay:     fmt.Sprintf("Delay(%q, %q, %s, %s)", f.A, f.B, duration(f.Delay), duration(f.Jitter)),
		fault.KindLossy:     fmt.Sprintf("Lossy(%q, %q, %v)", f.A, f.B, f.Share),
		fault.KindSlow:      fmt.Sprintf("Slow(%q, %q, %d)", f.A, f.B, f.Rate),
		fault.KindRefuse:    fmt.Sprintf("Refuse(%q, %q)", f.A, f.B),
		fault.KindReset:     fmt.Sprintf("Reset(%q, %q)", f.A, f.B),
		fault.KindRepeat:    fmt.Sprintf("Repeat(%q, %q, %v)", f.A, f.B, f.Share),
		fault.KindReorder:   fmt.Sprintf("Reorder(%q, %q, %v, %s)", f.A, f.B, f.Share, duration(f.Delay)),
		fault.KindCrash:     fmt.Sprintf("Crash(%q)", f.A),
		fault.KindRestart:   fmt.Sprintf("Restart(%q)", f.A),
		fault.KindFreeze:    fmt.Sprintf("Freeze(%q)", f.A),
		fault.KindSkew:      fmt.Sprintf("Skew(%q, %s)", f.A, duration(f.Delay)),
		fault.KindSite:      fmt.Sprintf("AtSite(%q, %q, %v, %d)", f.Site, f.A, f.Share, f.Times),
		fault.KindCreation:  fmt.Sprintf("Creation(%q, %q)", f.A, f.Mode),
		fault.KindTaken:     fmt.Sprintf("Taken(%q, %d)", f.A, f.Nth),
		fault.KindNotice:    fmt.Sprintf("Notice(%q, %d, %s)", f.A, f.Nth, duration(f.Delay)),
		fault.KindBroken:    fmt.Sprintf("Broken(%q, %d)", f.A, f.Nth),
		fault.KindListLag:   fmt.Sprintf("ListLag(%q, %s)", f.A, duration(f.Delay)),
	}[f.Kind]
	text := "fault." + made + fmt.Sprintf(".At(%s)", duration(f.Begins))
	if f.Lasts > 0 && !f.Instant() {
		text += fmt.Sprintf(".For(%s)", duration(f.Lasts))
	}
	return text
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// function returns a runtime that knows f as "f".
func function(f func(context.Context, FuncTask) error) *Func {
	r := NewFunc()
	r.Register("f", f)
	return r
}

func start(t *testing.T, r Runtime, s Spec) Task {
	t.Helper()
	if s.Log == nil {
		s.Log = func(stream, line string) { t.Logf("%s: %s", stream, line) }
	}
	task, err := r.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// end waits for the task.
func end(t *testing.T, task Task) Exit {
	t.Helper()
	select {
	case <-task.Done():
		return task.Exit()
	case <-time.After(30 * time.Second):
		t.Fatal("the task did not end")
		return Exit{}
	}
}

func TestFuncEndsWithTheCodeAndTextOfItsError(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func() error
		code int
		text string
	}{
		{"nil", func() error { return nil }, 0, ""},
		{"an error", func() error { return errors.New("no luck") }, 1, "no luck"},
		{"an error without a text", func() error { return errors.New("") }, 1, "exit code 1"},
		{"an exit error", func() error { return ExitError(3) }, 3, "exit code 3"},
		{"exit error 0", func() error { return ExitError(0) }, 0, ""},
		{"a wrapped one", func() error { return fmt.Errorf("step 2: %w", ExitError(7)) }, 7, "step 2: exit code 7"},
		{"a code that is none", func() error { return ExitError(256) }, 1, "exit code 256"},
		{"a panic", func() error { panic("at the disco") }, 2, "panic: at the disco"},
		{"a panic with an error", func() error { panic(errors.New("boom")) }, 2, "panic: boom"},
		{"Goexit", func() error { goruntime.Goexit(); return nil }, 2, errGoexit.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := function(func(context.Context, FuncTask) error { return c.f() })
			exit := end(t, start(t, r, Spec{Func: "f"}))
			if exit.Code != c.code || exit.Text() != c.text {
				t.Errorf("got %d, %q; want %d, %q", exit.Code, exit.Text(), c.code, c.text)
			}
		})
	}
}

func TestFuncIsGivenItsArgumentsEnvironmentAndDirectory(t *testing.T) {
	var got FuncTask
	r := function(func(_ context.Context, task FuncTask) error {
		got = task
		return nil
	})
	s := Spec{Func: "f", Args: []string{"a", "b"}, Env: map[string]string{"K": "v"}, Dir: "/work"}
	end(t, start(t, r, s))
	if diff := cmp.Diff([]any{s.Args, s.Env, s.Dir}, []any{got.Args, got.Env, got.Dir}); diff != "" {
		t.Error(diff)
	}
}

func TestFuncLogsLines(t *testing.T) {
	r := function(func(_ context.Context, task FuncTask) error {
		task.Printf("one %d", 1)
		task.Printf("two\nthree\n")
		task.Printf("")
		return nil
	})
	var got []string
	end(t, start(t, r, Spec{Func: "f", Log: func(stream, line string) { got = append(got, stream+": "+line) }}))
	if diff := cmp.Diff([]string{"stdout: one 1", "stdout: two", "stdout: three", "stdout: "}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFuncLogsTheStackOfAPanicToStderr(t *testing.T) {
	r := function(func(context.Context, FuncTask) error { panic("here") })
	var got []string
	end(t, start(t, r, Spec{Func: "f", Log: func(stream, line string) { got = append(got, stream+": "+line) }}))
	if len(got) < 3 || got[0] != "stderr: panic: here" || !strings.Contains(strings.Join(got, "\n"), "func_test.go") {
		t.Errorf("got %q", got)
	}
}

func TestFuncLogsNothingAfterItsEnd(t *testing.T) {
	late := make(chan FuncTask, 1)
	r := function(func(_ context.Context, task FuncTask) error {
		late <- task
		return nil
	})
	end(t, start(t, r, Spec{Func: "f", Log: func(_, line string) { t.Errorf("logged %q", line) }}))
	(<-late).Printf("too late")
}

func TestFuncThatIsUnknownListsTheKnownOnes(t *testing.T) {
	r := NewFunc()
	_, err := r.Start(t.Context(), Spec{UID: "u-1", Func: "quikc"})
	want := `attempt u-1: unknown function "quikc" (no function is registered on this worker)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	r.Register("slow", func(context.Context, FuncTask) error { return nil })
	r.Register("quick", func(context.Context, FuncTask) error { return nil })
	_, err = r.Start(t.Context(), Spec{UID: "u-1", Func: "quikc"})
	want = `attempt u-1: unknown function "quikc" (known: quick, slow)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFuncRefusesATakenName(t *testing.T) {
	r := function(func(context.Context, FuncTask) error { return nil })
	defer func() {
		if recover() == nil {
			t.Error("a second f was accepted")
		}
	}()
	r.Register("f", func(context.Context, FuncTask) error { return nil })
}

func TestFuncIsNotStartedByAnEndedContextNorStoppedByALaterEnd(t *testing.T) {
	r := function(func(ctx context.Context, _ FuncTask) error {
		<-ctx.Done()
		return ctx.Err()
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		task, err := r.Start(ctx, Spec{Func: "f", Log: func(string, string) {}})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Hour)
		select {
		case <-task.Done():
			t.Error("the end of Start's context ended the task")
		default:
		}
		if _, err := r.Start(ctx, Spec{Func: "f"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v from an ended context", err)
		}
		task.Stop(0)
		<-task.Done()
		if got := task.Exit(); got.Code != 1 || !errors.Is(got.Err, context.Canceled) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFuncRunsInVirtualTimeWhileItsLogWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := function(func(ctx context.Context, task FuncTask) error {
			two := make(chan struct{})
			go func() {
				defer close(two)
				task.Printf("a")
			}()
			task.Printf("b")
			<-two
			return nil
		})
		began := time.Now()
		end(t, start(t, r, Spec{Func: "f", Log: func(string, string) { time.Sleep(time.Second) }}))
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("two lines, a second each, took %v", took)
		}
	})
}

func TestFuncThatIgnoresItsContextKeepsDoneOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := function(func(context.Context, FuncTask) error {
			time.Sleep(time.Minute)
			return nil
		})
		began := time.Now()
		task := start(t, r, Spec{Func: "f"})
		task.Stop(time.Second)
		task.Stop(0)
		<-task.Done()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("done after %v", took)
		}
		task.Stop(0)
	})
}

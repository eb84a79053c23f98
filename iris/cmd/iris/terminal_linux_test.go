package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"iris/iris/controller"
)

// pseudo is a terminal that no screen shows: what a command writes to it can be read from the other side.
type pseudo struct {
	ours, theirs *os.File
	out          *output
	done         chan struct{}
}

func newPseudo(t *testing.T, columns uint16) *pseudo {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pseudo{ours: ours, out: newOutput(), done: make(chan struct{})}
	fd := int(ours.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns})
	}
	if err == nil {
		p.theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		if _, err := io.Copy(p.out, ours); err != nil && !errors.Is(err, syscall.EIO) { // that is how a terminal says that all have left
			t.Error(err)
		}
	}()
	return p
}

// onTerminal starts a command on a terminal of so many columns; the result's out is all that was written to it.
func (s *shell) onTerminal(columns uint16, args ...string) (*process, *pseudo) {
	s.t.Helper()
	p := newPseudo(s.t, columns)
	return s.startOn(p, args...), p
}

// startOn starts a command on a terminal, which it alone has.
func (s *shell) startOn(p *pseudo, args ...string) *process {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.theirs, p.theirs, p.theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if err := p.theirs.Close(); err != nil {
		s.t.Error(err)
	}
	run := &process{t: s.t, cmd: cmd, out: p.out, err: newOutput(), done: make(chan struct{})}
	go func() {
		defer close(run.done)
		_ = cmd.Wait() // its state says how it ended
		<-p.done
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error: it has ended
		<-run.done
		if err := p.ours.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return run
}

var escapes = regexp.MustCompile(`\x1b\[[?0-9;]*[A-Za-z]`)

// fits sees to it that no line is wider than the terminal.
func fits(t *testing.T, columns int, text string) {
	t.Helper()
	for line := range strings.SplitSeq(escapes.ReplaceAllString(text, ""), "\n") {
		if line = strings.Trim(line, "\r"); utf8.RuneCountInString(line) > columns {
			t.Errorf("wider than %d columns: %s", columns, line)
		}
	}
}

func TestTablesFitTheirTerminal(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "run", "--name", "a-job-with-a-name-that-is-long-enough", "--", "true")
	s.run("job", "run", "--name", "hopeless", "--cpu", "99", "--no-wait", "--", "true")
	for _, columns := range []uint16{40, 80, 200} {
		for _, args := range [][]string{{"job", "list"}, {"worker", "list"}, {"job", "status", "hopeless"}, {"task", "list", "hopeless"}} {
			run, _ := s.onTerminal(columns, args...)
			got := run.wait()
			if got.code != 0 || !strings.Contains(got.out, "\x1b[") {
				t.Errorf("%v: exit code %d, without colours:\n%s", args, got.code, got.out)
			}
			fits(t, int(columns), got.out)
		}
	}
	wide, _ := s.onTerminal(200, "job", "list")
	if got := wide.wait(); !strings.Contains(got.out, "needs 99 CPU, the largest worker w-0 has 4 CPU; 2 workers") {
		t.Errorf("200 columns have no room for a reason:\n%s", got.out)
	}
}

func TestTheFleetFitsItsTerminal(t *testing.T) {
	t.Parallel()
	s, _ := scaled(t)
	for _, columns := range []uint16{40, 80, 200} {
		for _, args := range [][]string{{"groups"}, {"groups", "slow"}, {"vm", "status"}, {"events"}} {
			run, _ := s.onTerminal(columns, append([]string{"cluster"}, args...)...)
			got := run.wait()
			if got.code != 0 || !strings.Contains(got.out, "\x1b[") {
				t.Errorf("%v: exit code %d, without colours:\n%s", args, got.code, got.out)
			}
			fits(t, int(columns), got.out)
		}
	}
}

func TestAClusterSaysOnANarrowTerminalWhatToType(t *testing.T) {
	t.Parallel()
	run, p := at(t, "").onTerminal(90, "cluster", "start", "--local", "--listen", "127.0.0.1:0")
	p.out.until(t, "iris chaos enable --controller .*'\r\n")
	fits(t, 90, p.out.String())
	run.ends(syscall.SIGTERM)
}

func TestHelpFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []uint16{60, 200} {
		for _, args := range [][]string{{"--help"}, {"job", "run", "--help"}, {"controller", "--help"}, {"chaos", "--help"}} {
			run, _ := at(t, "").onTerminal(columns, args...)
			got := run.wait()
			for line := range strings.SplitSeq(got.out, "\n") {
				if !strings.HasPrefix(line, "  ") { // what is to be typed stays in one line
					fits(t, int(columns), line)
				}
			}
		}
	}
}

func TestNoColourIsAsked(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	for _, variable := range []string{"NO_COLOR=1", "TERM=dumb", "TERM="} {
		run, _ := s.with(variable).onTerminal(80, "worker", "list")
		if got := run.wait(); got.code != 0 || strings.Contains(got.out, "\x1b") {
			t.Errorf("%s: exit code %d\n%q", variable, got.code, got.out)
		}
	}
}

// While a job runs on a terminal its lines come as they are written, and below them stands how it is; at the end nothing of
// that is left.
func TestAJobIsFollowedLiveOnATerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []uint16{40, 200} {
		s := at(t, booted(t))
		run, p := s.onTerminal(columns, "job", "run", "--replicas", "12", "--", "sh", "-c", `echo "task $IRIS_TASK_INDEX"; sleep 2`)
		p.out.until(t, `\x1b\[33m█+`) // a bar of those that wait
		p.out.until(t, `(?s)waits: needs 1 CPU, largest free.{1,40}CPU on w-0; 2 workers`)
		got := run.wait()
		if got.code != 0 {
			t.Errorf("exit code %d", got.code)
		}
		fits(t, int(columns), got.out)
		screen := play(t, got.out)
		for _, line := range screen {
			if strings.Contains(line, "█") || strings.Contains(line, "waits:") {
				t.Errorf("left on the terminal: %s", line)
			}
		}
		for i := range 12 {
			if want := fmt.Sprintf("%2d| task %d", i, i); !slices.Contains(screen, want) {
				t.Errorf("no %q on the terminal:\n%s", want, strings.Join(screen, "\n"))
			}
		}
	}
}

// What goes wrong is seen while the job goes on, and in the end the last lines of the attempt that failed it.
func TestFailuresAreSeenLiveOnATerminal(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	run, p := s.onTerminal(40, "job", "run", "--replicas", "2", "--max-retries-failure", "1", "--", "sh", "-c",
		"[ $IRIS_TASK_INDEX.$IRIS_ATTEMPT_ID = 1.0 ] && echo oops && exit 3; sleep 2")
	p.out.until(t, `(?s)█.*31mtask 1, attempt 0 on w-0: exit code 3\x1b\[0m\r\n  \| oops\r\n`)
	if got := run.wait(); got.code != 0 {
		t.Errorf("exit code %d", got.code)
	}
	fits(t, 40, p.out.String())

	run, _ = s.onTerminal(80, "job", "run", "--", "sh", "-c", "seq 30; exit 3")
	got := run.wait()
	want := "iris: task 0, attempt 0 on w-0, exit code 3\niris: the last lines it wrote:\n" + lines(11, 30, "  | ")
	if end := strings.Join(play(t, got.out), "\n"); got.code != exitFailed || !strings.HasSuffix(end, want) {
		t.Errorf("exit code %d\n%s", got.code, end)
	}
}

// play is what a terminal shows in the end, without colours and its lines not wrapped.
func play(t *testing.T, text string) []string {
	t.Helper()
	var screen []string
	row := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		for {
			up := regexp.MustCompile(`^\x1b\[([0-9]+)A\r\x1b\[J`).FindStringSubmatch(line)
			if up == nil {
				break
			}
			n := 0
			if _, err := fmt.Sscan(up[1], &n); err != nil || n > row {
				t.Fatalf("up %s from row %d", up[1], row)
			}
			row -= n
			screen, line = screen[:row], line[len(up[0]):]
		}
		screen = append(screen[:row], escapes.ReplaceAllString(line, ""))
		row++
	}
	return screen
}

func TestADumbTerminalGetsPlainLines(t *testing.T) {
	t.Parallel()
	run, _ := at(t, booted(t)).with("TERM=dumb").onTerminal(80, "job", "run", "--cpu", "64", "--scheduling-timeout", "2s", "--", "true")
	got := run.wait()
	if got.code != exitUnschedulable || strings.Contains(got.out, "\x1b") {
		t.Errorf("exit code %d\n%q", got.code, got.out)
	}
	fits(t, 80, got.out)
	if !strings.Contains(got.out, "iris: PENDING: needs 64 CPU, the largest worker w-0 has 4 CPU; 2 workers") {
		t.Errorf("no reason in\n%s", got.out)
	}
}

// Ctrl-C is typed, not sent: the terminal makes a signal of it.
func TestCtrlCOnATerminalDetaches(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	run, p := s.onTerminal(80, "job", "run", "--name", "long", "--", "sleep", "600")
	p.out.until(t, "RUNNING")
	if _, err := p.ours.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	got := run.wait()
	if got.code != exitInterrupted || !strings.Contains(got.out, "iris job attach long-") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	if got := s.run("job", "stop", "long"); got.code != 0 {
		t.Errorf("it did not go on: %s", got.err)
	}
}

const leaves = "\x1b[?7h\x1b[?25h\x1b[?1049l" // the other screen, with a cursor and lines that wrap

// The screen and the keyboard are as they were, however the cluster's screen ends.
func TestTopIsShownUntilItIsEnded(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "run", "--name", "hopeless", "--cpu", "99", "--no-wait", "--", "true")
	for name, end := range map[string]func(*process, *pseudo) error{
		"q":       func(_ *process, p *pseudo) error { _, err := p.ours.Write([]byte("xq")); return err },
		"Ctrl-C":  func(_ *process, p *pseudo) error { _, err := p.ours.Write([]byte{3}); return err },
		"SIGTERM": func(run *process, _ *pseudo) error { run.signal(syscall.SIGTERM); return nil },
	} {
		p := newPseudo(t, 80)
		before, err := unix.IoctlGetTermios(int(p.ours.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		run := s.startOn(p, "top")
		p.out.until(t, `(?s)c-0 leads.*2 workers: 2 LIVE.*w-1.*hopeless-.*needs 99 CPU`)
		p.out.until(t, `(?s)1049h.*c-0 leads.*c-0 leads`) // it is drawn again
		if err := end(run, p); err != nil {
			t.Fatal(err)
		}
		if got := run.wait(); got.code != 0 || !strings.HasSuffix(got.out, leaves) {
			t.Errorf("%s: exit code %d, at the end %q", name, got.code, got.out[max(0, len(got.out)-60):])
		}
		if after, err := unix.IoctlGetTermios(int(p.ours.Fd()), unix.TCGETS); err != nil || *after != *before {
			t.Errorf("%s: the keyboard is left as %+v, and was %+v (%v)", name, after, before, err)
		}
	}
}

func TestTopFitsEveryTerminal(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	for _, columns := range []uint16{1, 40, 200} {
		run, p := s.onTerminal(columns, "top")
		p.out.until(t, `(?s)1049h.*\r\n.*\r\n`)
		run.ends(syscall.SIGTERM)
		fits(t, int(columns), strings.TrimSuffix(p.out.String(), leaves))
	}
	for _, variable := range []string{"TERM=dumb", "TERM="} {
		run, _ := s.with(variable).onTerminal(80, "top")
		if got := run.wait(); got.code != 0 || strings.Contains(got.out, "\x1b") || !strings.Contains(got.out, "2 workers: 2 LIVE") {
			t.Errorf("%s: exit code %d\n%q", variable, got.code, got.out)
		}
	}
	run, _ := s.onTerminal(80, "top", "--once")
	if got := run.wait(); got.code != 0 || strings.Contains(got.out, "1049h") || !strings.Contains(got.out, "2 workers: 2 LIVE") {
		t.Errorf("--once: exit code %d\n%q", got.code, got.out)
	}
}

// A controller that is away is said, and what was known of the cluster stays.
func TestTopOutlivesItsController(t *testing.T) {
	t.Parallel()
	c, err := controller.Start(controller.Config{Address: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run, p := at(t, c.Address()).onTerminal(80, "top")
	p.out.until(t, "0 workers")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	p.out.until(t, `as it was [0-9.ms]+ ago: .*no controller answers`)
	again, err := controller.Start(controller.Config{Address: c.Address(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	}()
	p.out.until(t, `(?s)as it was.*0 jobs\r\n\x1b\[K\r\n`) // where that stood nothing stands
	run.ends(syscall.SIGTERM)
}

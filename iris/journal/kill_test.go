package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childDir tells this test program, run as a child, to work as a voter in the directory until it is killed.
const childDir = "JOURNAL_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := work(dir); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// work submits jobs for ever, and prints how many there are: at first, and whenever more are committed.
func work(dir string) error {
	r, err := OpenRaft(RaftConfig{
		Dir: dir, ID: "c-0", Address: "c-0", Bootstrap: true, Policy: policy, Streams: (&mesh{}).join("c-0"), Log: quiet(),
		SegmentBytes: 64 << 10, SnapshotEntries: 50, TrailingEntries: 10,
	})
	if err != nil {
		return err
	}
	term, err := r.Lead(context.Background())
	if err != nil {
		return err
	}
	began := len(term.State().Jobs())
	fmt.Println(began)
	for n := began; ; n++ {
		propose(term, n, n+1)
		for uint64(n-began) > term.Committed()+20 {
			select {
			case <-term.News():
			case <-term.Over():
				return term.Err()
			}
		}
		fmt.Println(began + int(term.Committed()))
	}
}

// A process that is killed at any instant (FM-75, FM-80) has lost nothing that it told anybody of.
func TestAVoterThatIsKilledLosesNothing(t *testing.T) {
	dir := t.TempDir()
	told := 0
	for range 8 {
		told = max(told, workAndDie(t, dir, told, time.Duration(30+rand.IntN(150))*time.Millisecond))
	}
	r := alone(t, dir)
	if n := jobsOf(t, lead(t, r).State()); n < told {
		t.Errorf("%d jobs are left of %d", n, told)
	}
	closeAll(t, r)
	if told < 100 {
		t.Errorf("only %d jobs were ever submitted", told)
	}
}

// workAndDie lets a child work for a while after it led, kills it, and returns how many jobs it said there are.
func workAndDie(t *testing.T, dir string, before int, after time.Duration) (told int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var killer *time.Timer
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // what is cut short was not told
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Errorf("the child says %q", line)
			break
		}
		if killer == nil {
			if n < before {
				t.Errorf("%d jobs are left of %d", n, before)
			}
			killer = time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		told = n
	}
	_ = child.Process.Kill()
	if err := child.Wait(); err == nil {
		t.Error("the child was not killed")
	}
	return told
}

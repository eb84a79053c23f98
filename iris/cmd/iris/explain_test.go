package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iris/iris/view"
)

func TestAJobIsExplained(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "run", "--id", "bad-1", "--name", "bad", "--max-retries-failure", "1", "--", "sh", "-c", "echo oops; exit 3")
	got := s.run("job", "explain", "bad-1")
	want := `Job bad-1 is FAILED.

Task 0 is FAILED
  Attempt 0 ran on w-0 for TIME, when its command ended with exit code 3; that is one failure.
  Attempt 1 ran on w-0 for TIME, when its command ended with exit code 3; that is one failure.

Why
  Its task FAILED twice, the last time because of: exit code 3. --max-retries-failure allows 1 retry, which is used up.

What you can do
  Read what the last attempt wrote.
    iris job logs bad-1 --task 0 --attempt 1
  Once what failed is mended, run it again; allow for failures if they pass.
    iris job run --max-retries-failure 3 -- COMMAND
`
	got.expect(t, 0, want, "")

	var e view.Explanation
	got = s.run("job", "explain", "bad-1", "0", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || e.State != "FAILED" || len(e.Tasks) != 1 || len(e.Tasks[0].Attempts) != 2 || len(e.Advice) == 0 {
		t.Errorf("as JSON: %v, %+v", err, got)
	}
	s.run("job", "explain", "bad-1", "1").expect(t, exitUsage, "", "iris: job bad-1 has no task 1; it has 1, counted from 0\n")
	s.run("job", "explain", "bad-1", "x").expect(t, exitUsage, "", "iris: \"x\" is not the number of a task: 0 or more\n")
	s.run("job", "explain", "bad-1", "99999999999").expect(t, exitUsage, "", "iris: \"99999999999\" is not the number of a task: 0 or more\n")
	s.run("job", "explain", "gone").expect(t, exitError, "", "iris: there is no job \"gone\"; `iris job list` shows those there are\n")
	s.run("job", "explain").expect(t, exitUsage, "", "iris: `iris job explain` wants a job\niris: see `iris job explain --help`\n")
}

// Everything that an explanation says to type is a command line that there is.
func TestAdviceIsACommandLine(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "view", "testdata", "explain"))
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    iris (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) < 20 {
		t.Fatalf("only %d commands are advised", len(lines))
	}
	for _, m := range lines {
		root := newRoot(newApp())
		verb, rest, err := root.Find(strings.Fields(m[1]))
		if err != nil || verb.HasSubCommands() && verb.Name() != "worker" {
			t.Errorf("there is no verb in `iris %s`", m[1])
			continue
		}
		for _, word := range rest {
			if flag := longFlag.FindStringSubmatch(word); flag != nil && !known(verb, flag[1]) {
				t.Errorf("`iris %s`: there is no --%s", m[1], flag[1])
			}
		}
	}
}

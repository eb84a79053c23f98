package timeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const hostile = `</script><script>alert("a & b")</script>`

func hostileRun() Run {
	f := story()
	f.Jobs["j-1"] = hostile
	drawn := Draw(f)
	drawn.Title, drawn.Failure = hostile, hostile
	return Run{Title: hostile, Repeat: "make chaos", Scenarios: []Scenario{{ID: "smoke", Name: hostile, Mode: "virtual", Timelines: []Timeline{drawn}}}}
}

func TestThePageHasItsDataAndNeedsNothingElse(t *testing.T) {
	html, err := HTML(hostileRun())
	if err != nil {
		t.Fatal(err)
	}
	page := string(html)
	if strings.Contains(page, "<script>alert") {
		t.Error("a name became a script")
	}
	if outside := regexp.MustCompile(`(?i)(src|href)="[^#"]|url\(|@import|https?://`).FindString(page); outside != "" {
		t.Errorf("the page asks for something: %q", outside)
	}
	if scripts := regexp.MustCompile(`(?s)<script>.*?</script>`).FindAllString(page, -1); len(scripts) != 1 {
		t.Errorf("the page has %d programs, want 1", len(scripts))
	}
	data := regexp.MustCompile(`(?s)<script type="application/json" data-story="smoke">(.*?)</script>`).FindStringSubmatch(page)
	if data == nil {
		t.Fatal("the page has no data of the scenario")
	}
	var back []Timeline
	if err := json.Unmarshal([]byte(data[1]), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hostileRun().Scenarios[0].Timelines, back, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the data of the page (-want +got):\n%s", diff)
	}
}

func TestTheDataAreBesideThePage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := Write(dir, hostileRun(), "index", "chaos"); err != nil {
		t.Fatal(err)
	}
	var back Run
	text, err := os.ReadFile(filepath.Join(dir, "chaos.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hostileRun(), back, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("chaos.json (-want +got):\n%s", diff)
	}
	for _, name := range []string{"index.html", "index.json", "chaos.html"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

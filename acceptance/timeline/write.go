package timeline

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
)

//go:embed page
var page embed.FS

// scripts are the parts of the page's program, in their order.
var scripts = []string{"words.js", "list.js", "lanes.js", "paint.js", "hands.js", "events.js", "story.js", "main.js"}

// Write writes a run into a directory, which is made if there is none: NAME.json and NAME.html for each of the names.
func Write(dir string, run Run, names ...string) error {
	data, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	html, err := HTML(run)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), data, 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".html"), html, 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// HTML is the page of a run: one file, which asks for nothing else and may run no script but its own. The timelines of each
// scenario are data of their own, read when somebody looks at it.
func HTML(run Run) ([]byte, error) {
	type story struct {
		ID   string
		Data template.JS
	}
	var stories []story
	run.Scenarios = slices.Clone(run.Scenarios)
	for i := range run.Scenarios {
		s := &run.Scenarios[i]
		data, err := json.Marshal(s.Timelines) // which has no < or & of its own
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", s.ID, err)
		}
		stories = append(stories, story{s.ID, template.JS(data)})
		s.Timelines = nil
	}
	index, err := json.Marshal(run)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	style, err := page.ReadFile("page/page.css")
	if err != nil {
		return nil, err
	}
	program := []byte("\"use strict\";\n")
	for _, name := range scripts {
		part, err := page.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		program = append(program, part...)
	}
	frame, err := template.ParseFS(page, "page/page.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = frame.Execute(&out, map[string]any{
		"Title": run.Title, "Policy": policy(program, style), "Index": template.JS(index), "Stories": stories,
		"Style": template.HTML("<style>" + string(style) + "</style>"), "Program": template.HTML("<script>" + string(program) + "</script>"),
	})
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return out.Bytes(), nil
}

// policy lets this program and this style run, and nothing else.
func policy(program, style []byte) string {
	sum := func(text []byte) string {
		digest := sha256.Sum256(text)
		return "'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	}
	return "default-src 'none'; script-src " + sum(program) + "; style-src " + sum(style) + "; base-uri 'none'; form-action 'none'"
}

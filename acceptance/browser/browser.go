// Package browser opens pages in a real browser, for the specs of what Iris shows and for the pictures in the documentation.
//
// It wants a Chromium in PATH: without one, whoever opens a page fails and reads what to install. A page that reports an error
// to its console fails its test too.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds each thing that a page is asked for.
const patience = 30 * time.Second

// Look is how a page is shown.
type Look struct {
	Width, Height int64   // in CSS pixels
	Scale         float64 // pixels of a screenshot for each of those; 0: 1
	Dark          bool    // what the page is told its reader prefers
	Touch         bool    // a phone: touch events, and a viewport as wide as the screen
}

// What pages are looked at with.
var (
	Desktop     = Look{Width: 1280, Height: 860}
	DesktopDark = Look{Width: 1280, Height: 860, Dark: true}
	Phone       = Look{Width: 390, Height: 844, Scale: 2, Touch: true}
)

// Page is a page in a browser of its own. What it is asked for in vain fails the test.
type Page struct {
	t        testing.TB
	ctx      context.Context
	complain chan []string // what the console said by the end
}

// Open opens a page, until the test is over. The URL is one of http or file.
func Open(t testing.TB, url string, look Look) *Page {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), flags(program, t.TempDir())...)
	ctx, _ := chromedp.NewContext(allocator) // Cancel ends it
	p := &Page{t: t, ctx: ctx, complain: make(chan []string, 1)}
	console, silence := context.WithCancel(ctx)
	t.Cleanup(func() {
		silence()
		said := <-p.complain
		closing, done := context.WithTimeout(ctx, patience)
		defer done()
		if err := chromedp.Cancel(closing); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("close the browser: %v", err)
		}
		cancel()
		if len(said) > 0 {
			t.Errorf("%s: its console says:\n%s", url, strings.Join(said, "\n"))
		}
	})
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of this
		p.complain <- nil
		t.Fatalf("start %s: %v", program, err)
	}
	messages := chromedp.Console(console)
	go func() {
		var errs []string
		for m, err := range messages {
			if err != nil {
				break // the page is closed
			}
			if m.IsException() || m.Type == "error" {
				errs = append(errs, m.String())
			}
		}
		p.complain <- errs
	}()
	p.Show(look)
	p.Do(chromedp.Navigate(url))
	return p
}

// File is the URL of a file.
func File(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		panic(err) // the working directory is gone
	}
	return "file://" + filepath.ToSlash(full)
}

// programs are the names that a Chromium may have, the first that is there is taken.
var programs = []string{"chromium", "chromium-browser", "google-chrome"}

func find() (string, error) {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no browser: none of %v is in PATH; install one, with apt-get install chromium for example", programs)
}

func flags(program, profile string) []chromedp.ExecAllocatorOption {
	own := chromedp.DefaultExecAllocatorOptions // a copy
	return append(own[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // which needs more than a container has; it opens nothing but our own pages
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true))
}

// Do has the page do something.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("the page: %v", err)
	}
}

// Get has the page do something that has a result.
func Get[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("the page: %v", err)
	}
	return result
}

// Eval is the value of a JavaScript expression, or of the promise that it is.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return Get(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Wait waits until a JavaScript expression is true.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression)); err != nil {
		p.t.Fatalf("the page never comes to be so that %s: %v", expression, err)
	}
}

// Show changes how the page is shown.
func (p *Page) Show(look Look) {
	p.t.Helper()
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(max(look.Scale, 1))}
	if look.Touch {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	prefers := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	p.Do(chromedp.EmulateViewport(look.Width, look.Height, options...),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, prefers)
			return err
		}))
}

// Screenshot keeps what the window shows as a PNG file, whose folder is made.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	p.keep(path, Get(p, chromedp.CaptureScreenshot()))
}

// FullScreenshot keeps the whole page, however long it is.
func (p *Page) FullScreenshot(path string) {
	p.t.Helper()
	p.keep(path, Get(p, chromedp.FullScreenshot(100)))
}

func (p *Page) keep(path string, picture []byte) {
	p.t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, picture, 0o644)
	}
	if err != nil {
		p.t.Fatalf("keep a screenshot: %v", err)
	}
}

package browser

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWithoutABrowserItSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := find(); err == nil || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Errorf("with an empty PATH it finds %q: %v", path, err)
	}
}

func TestAFileHasAURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if got, want := File("page.html"), "file://"+filepath.ToSlash(dir)+"/page.html"; got != want {
		t.Errorf("File is %s, not %s", got, want)
	}
}

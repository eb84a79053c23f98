package daemon

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// Build builds the iris binary of the module at root into dir and returns its path; with the race detector, if the
// caller itself was built so.
func Build(ctx context.Context, root, dir string) (string, error) {
	path := filepath.Join(dir, "iris")
	args := []string{"build", "-o", path}
	if racing() {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./iris/cmd/iris")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the iris command: %w\n%s", err, out)
	}
	return path, nil
}

func racing() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

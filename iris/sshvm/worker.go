package sshvm

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed process.sh
var processes string

//go:embed bootstrap.sh
var startWorker string

//go:embed shutdown.sh
var stopWorker string

// Worker is how `iris worker` is run on hosts. Its methods are what [Config] asks for. A worker that others can reach does not
// start without certificates or tokens: name their files in Args.
type Worker struct {
	Binary      string        // path of the program on the hosts, or its name in their PATH; default iris
	Cluster     string        // default iris
	Controllers []string      // their addresses, as hosts reach them
	Listen      string        // default ":0": a free port on all interfaces
	Drain       time.Duration // how long tasks may go on after the worker was told to stop, in whole seconds; default 1 m
	Grace       time.Duration // when the worker is killed after it was told to stop, in whole seconds; default Drain and 15 s
	Args        []string      // further flags, such as --cpu=4 and --cert; files are of the hosts
	// Attributes are the worker's. Nil: the slice alone. Neither names nor values may have commas, or spaces at their ends.
	Attributes func(Machine) map[string]string
}

// killAfter is how much longer than its drain a worker gets if nothing else is said: to stop what is left, and to deliver the results.
const killAfter = 15 * time.Second

// Check says whether workers can be started for a machine like that.
func (w Worker) Check(m Machine) error {
	var wrong []error
	if len(w.Controllers) == 0 {
		wrong = append(wrong, errors.New("no controller is named"))
	}
	if w.Drain < 0 || w.Grace < 0 {
		wrong = append(wrong, fmt.Errorf("drain is %v and grace %v; they must not be negative", w.Drain, w.Grace))
	}
	for _, pair := range w.attributes(m) {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || strings.Contains(pair, ",") || name != strings.TrimSpace(name) || value != strings.TrimSpace(value) {
			wrong = append(wrong, fmt.Errorf("the attribute %q cannot be passed on: it has no name, a comma, or a space at an end", pair))
		}
	}
	return errors.Join(wrong...)
}

// Bootstrap is the script that starts the worker. If the arguments are wrong, it says so, and fails.
func (w Worker) Bootstrap(m Machine) string {
	if err := w.Check(m); err != nil {
		return "echo " + quote("worker of "+m.VM+": "+err.Error()) + "\nexit 1\n"
	}
	return processes + "\nset -- " + w.command(m) + "\n" + startWorker
}

// Shutdown is the script that stops it, and what it may have left behind: SIGTERM, Grace, SIGKILL. Config.ShutdownTimeout
// must be some seconds longer than Grace.
func (w Worker) Shutdown(Machine) string {
	grace := (cmp.Or(w.Grace, w.drain()+killAfter) + time.Second - 1) / time.Second
	return processes + "\ngrace=" + strconv.FormatInt(int64(grace), 10) + "\n" + stopWorker
}

func (w Worker) command(m Machine) string {
	args := []string{cmp.Or(w.Binary, "iris"), "worker", "--id", m.VM, "--controller", strings.Join(w.Controllers, ","), "--advertise", m.Host}
	if w.Cluster != "" {
		args = append(args, "--cluster", w.Cluster)
	}
	args = append(args, "--listen", cmp.Or(w.Listen, ":0"), "--drain-timeout", w.drain().String())
	for _, pair := range w.attributes(m) {
		args = append(args, "--attribute", pair)
	}
	args = append(args, w.Args...)
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return strings.Join(quoted, " ") + ` --data-dir "$PWD/data"`
}

func (w Worker) drain() time.Duration {
	return cmp.Or(w.Drain, time.Minute)
}

// attributes are name=value, in the order of their names.
func (w Worker) attributes(m Machine) []string {
	all := map[string]string{"slice": m.Slice}
	if w.Attributes != nil {
		all = w.Attributes(m)
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+all[name])
	}
	return pairs
}

// quote makes one word of a text, for a shell.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

package sshvm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

// FM-38: hosts that accept a connection and say nothing are waited for all at once, and no longer than they may take. Their
// VMs are as they were.
func TestHostsThatHangCostOneDeadline(t *testing.T) {
	p := newPool(t, 5)
	c := p.config(1, p.worker())
	m := p.open(c)
	s, other := p.create(m, "rack-0"), p.create(m, "rack-1")
	p.await(s, vm.Ready)
	p.await(other, vm.Ready)
	p.close(m)

	c.ConnectTimeout = 5 * time.Second
	m = p.open(c)
	if all := p.list(m); len(all) != 2 {
		t.Fatalf("%d slices are listed", len(all))
	} else {
		s = all[0]
		p.await(s, vm.Ready)
		p.await(all[1], vm.Ready)
	}
	for _, h := range p.hosts {
		if h != p.hosts[1] {
			h.hang()
		}
	}
	began := time.Now()
	all := p.list(m)
	if took := time.Since(began); took < c.ConnectTimeout || took > 2*c.ConnectTimeout {
		t.Errorf("with four hosts that hang a list takes %v; each may take %v", took, c.ConnectTimeout)
	}
	if len(all) != 2 || all[0] != s {
		t.Fatalf("listed are %v", all)
	}
	p.await(s, vm.Ready)

	fresh := p.open(c) // has never seen those that hang
	if got := p.only(fresh); got.ID() != "rack-1" {
		t.Errorf("%s is listed", got.ID())
	}
}

func TestAListWithoutAnyAnswerIsAnError(t *testing.T) {
	p := newPool(t, 2)
	m := p.open(p.config(1, p.worker()))
	p.await(p.create(m, "rack-0"), vm.Ready)
	for _, h := range p.hosts {
		h.down()
	}
	all, err := m.ListSlices(t.Context())
	if all != nil || err == nil || strings.Count(err.Error(), "it does not answer") != 2 {
		t.Errorf("got %v, %v", all, err)
	}
}

// A host that is down when its slice is taken over is known by its sibling.
func TestAHostThatIsDownIsKnownByTheOthersOfItsSlice(t *testing.T) {
	p := newPool(t, 2)
	m := p.open(p.config(2, p.worker()))
	p.await(p.create(m, "rack-0"), vm.Ready, vm.Ready)
	p.close(m)
	p.hosts[0].down()
	m = p.open(p.config(2, p.worker()))
	s := p.only(m)
	p.await(s, vm.Booting, vm.Ready)
	if err := s.Terminate(t.Context()); err == nil {
		t.Error("it is terminated, though nobody knows what is on the host that is down")
	}
	p.hosts[0].up()
	p.terminate(s)
	if left := p.running(p.hosts[0].dir); len(left) > 0 {
		t.Errorf("%v still run", left)
	}
}

func TestSlicesGetTheHostsOfTheirZone(t *testing.T) {
	p := newPool(t, 3)
	c := p.config(1, p.worker())
	c.Hosts[1].Zone = "b"
	m := p.open(c)
	s, err := m.CreateSlice(t.Context(), vm.Request{ID: "rack-0", Zone: "b"})
	if err != nil {
		t.Fatal(err)
	}
	p.await(s, vm.Ready)
	if s.Zone() != "b" || p.hosts[1].read("slices/rack-0/starts") == "" {
		t.Errorf("it is in %s", s.Zone())
	}
	const stockout = "no machines in stock for rack in b: a slice needs 1 hosts, and 0 of 1 are free; terminate a slice or add hosts"
	if _, err := m.CreateSlice(t.Context(), vm.Request{Zone: "b"}); !errors.Is(err, vm.ErrStockout) || err.Error() != stockout {
		t.Errorf("got %v, want %s", err, stockout)
	}
	for _, bad := range []vm.Request{{Zone: "c"}, {ID: "../x"}, {ID: "a b"}} {
		if _, err := m.CreateSlice(t.Context(), bad); !errors.Is(err, vm.ErrCreateFailed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	p.create(m, "rack-1")
	last := p.create(m, "rack-2")
	connections := p.hosts[0].connections()
	const full = "max_slices reached for rack in a: 3 of 3 slices are live; terminate one or raise max_slices"
	if _, err := m.CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrMaxSlices) || err.Error() != full {
		t.Errorf("got %v, want %s", err, full)
	}
	p.await(last, vm.Ready)
	if p.hosts[0].connections() < connections {
		t.Error("connections are not counted")
	}
	var ids []string
	for _, s := range p.list(m) {
		ids = append(ids, s.ID())
	}
	if diff := cmp.Diff([]string{"rack-0", "rack-1", "rack-2"}, ids); diff != "" {
		t.Error(diff)
	}
}

// What nobody can read is nobody's slice, and its host is taken.
func TestAReservationThatCannotBeRead(t *testing.T) {
	p := newPool(t, 2)
	if err := os.Mkdir(p.hosts[0].dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.write("host0/reservation", "do not touch\n")
	m := p.open(p.config(1, p.worker()))
	if all := p.list(m); len(all) > 0 {
		t.Errorf("%v is listed", all)
	}
	if !strings.Contains(p.log.String(), "a host is taken by something that cannot be read") {
		t.Error("nobody is told")
	}
	p.await(p.create(m, "rack-0"), vm.Ready)
	if p.hosts[0].read("reservation") != "do not touch\n" || p.hosts[1].read("reservation") == "" {
		t.Error("it is not on the host that is free")
	}
}

// A reservation that somebody has damaged takes its host, and no more: the slices of the others are known by theirs.
func TestADamagedReservationSpoilsNoOther(t *testing.T) {
	p := newPool(t, 4)
	c := p.config(1, p.worker())
	m := p.open(c)
	p.await(p.create(m, "rack-0"), vm.Ready)
	p.close(m)
	for i, line := range map[int]string{
		1: strings.Replace(p.hosts[0].read("reservation"), `"vm":0`, `"vm":-1`, 1),
		2: fmt.Sprintf("rack-2 {\"group\":\"rack\",\"zone\":\"a\",\"hosts\":[%q],\"vm\":0}\n", p.hosts[2].address), // of no creation, as a free host
	} {
		if err := os.Mkdir(p.hosts[i].dir, 0o700); err != nil {
			t.Fatal(err)
		}
		p.write(fmt.Sprintf("host%d/reservation", i), line)
	}
	m = p.open(c)
	var ids []string
	for _, s := range p.list(m) {
		ids = append(ids, s.ID())
		p.await(s, vm.Ready)
	}
	if diff := cmp.Diff([]string{"rack-2", "rack-0"}, ids); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(p.log.String(), "the reservation does not name a slice and its VM") {
		t.Error("nobody is told")
	}
}

// Orders of a host itself, without what is around them: of many at once, one makes the reservation.
func TestOneOfManyReservesAHost(t *testing.T) {
	t.Parallel()
	for round := range 10 {
		dir := t.TempDir()
		said := make([]string, 12)
		var all sync.WaitGroup
		for i := range said {
			all.Go(func() {
				shell := exec.Command("/bin/sh", "-s")
				shell.Dir, shell.Stdin = dir, strings.NewReader(sshvm.ReserveOrder("pool", fmt.Sprintf("rack-%d {}", i)))
				text, err := shell.CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, text)
				}
				said[i] = strings.TrimSpace(string(text))
			})
		}
		all.Wait()
		text, err := os.ReadFile(filepath.Join(dir, "pool", "reservation"))
		if err != nil {
			t.Fatal(err)
		}
		has := strings.TrimSpace(string(text))
		for i, answer := range said {
			want := "iris-host: taken " + has
			if has == fmt.Sprintf("rack-%d {}", i) {
				want = "iris-host: reserved"
			}
			if answer != want {
				t.Errorf("round %d: rack-%d is told %q; want %q", round, i, answer, want)
			}
		}
	}
}

// A connection can break after any byte. What has arrived by then is carried out if it is complete, and else not at all.
func TestAnOrderThatIsCutShortIsNotCarriedOut(t *testing.T) {
	order := sshvm.ReserveOrder("pool", "rack-0 {}")
	cuts := []int{len(order) / 3, len(order) / 2}
	for n := len(order) - 120; n < len(order)-len("end </dev/null\n"); n++ {
		cuts = append(cuts, n)
	}
	run := func(text string) bool {
		dir := t.TempDir()
		shell := exec.Command("/bin/sh", "-s")
		shell.Dir, shell.Stdin = dir, strings.NewReader(text)
		_ = shell.Run() // a text that is cut is wrong in many ways
		_, err := os.Stat(filepath.Join(dir, "pool"))
		return err == nil
	}
	for _, n := range cuts {
		if run(order[:n]) {
			t.Errorf("after %d bytes of %d, ending with %q, something is done", n, len(order), order[n-20:n])
		}
	}
	if !run(order) {
		t.Error("the whole order is not carried out")
	}
}

func TestOpenReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := sshvm.Open(sshvm.Config{
		Group: vm.GroupConfig{Name: "rack", Zones: []string{"a", "b"}},
		Hosts: []sshvm.Host{
			{Address: "one"}, {Address: "one:22"}, {Address: "two", Zone: "c"}, {Address: "me@three"}, {Address: "four:0"},
			{Address: "::1"}, {Address: ""},
		},
		ConnectTimeout: -1, InitTimeout: time.Millisecond, Tries: -1,
	})
	if err == nil {
		t.Fatal("it is opened")
	}
	want := []string{
		`hosts of scale group "rack": scale group "rack": max_slices is 0; it must be at least 1`,
		`the user to log in as is not named`,
		`the file of the private key is not named`,
		`the file of known hosts is not named`,
		`the scripts that start and stop workers are not given`,
		`hosts[1]: one:22 is named twice`,
		`hosts[2]: zone "c" is none of the group's: a, b`,
		`hosts[3]: "me@three" is neither host nor host:port`,
		`hosts[4]: "four:0" is neither host nor host:port`,
		`hosts[6]: "" is neither host nor host:port`,
		`connect timeout is -1ns; it must be at least 0s`,
		`init timeout is 1ms; it must be at least 1s`,
		`tries is -1; it must be positive`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestOpenReadsTheFilesItIsGiven(t *testing.T) {
	p := newPool(t, 1)
	p.write("nonsense", "nonsense\n")
	for text, break_ := range map[string]func(*sshvm.Config){
		"read the private key: open /nowhere":                     func(c *sshvm.Config) { c.Key = "/nowhere" },
		"the private key " + p.path("nonsense") + ": ":            func(c *sshvm.Config) { c.Key = p.path("nonsense") },
		"read the known hosts: open /nowhere":                     func(c *sshvm.Config) { c.KnownHosts = "/nowhere" },
		"read the known hosts: knownhosts: " + p.path("nonsense"): func(c *sshvm.Config) { c.KnownHosts = p.path("nonsense") },
	} {
		c := p.config(1, p.worker())
		break_(&c)
		if _, err := sshvm.Open(c); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}

package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iris/iris/runtime"
)

func TestTheRecordSaysWhatIsTrue(t *testing.T) {
	path := filepath.Join(t.TempDir(), recordName)
	self := identity{Boot: "boot", Process: runtime.ID{PID: 7, From: 1, To: 2}, Leader: true}
	rapid.Check(t, func(rt *rapid.T) {
		k := newAttempts(nil)
		r, err := newRecord(path, quiet, func() []entry { return k.entries(self) })
		if err != nil {
			rt.Fatal(err)
		}
		k.record = r
		n := rapid.IntRange(0, 60).Draw(rt, "steps")
		renew := rapid.IntRange(0, 60).Draw(rt, "written anew at")
		for i := range n {
			if i == renew {
				r.renew = 0
			}
			uid := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "uid")
			k.mu.Lock()
			a := k.held[uid]
			switch {
			case a == nil:
				a = &attempt{uid: uid, phase: running, id: runtime.ID{PID: i + 2, From: 1, To: 1}}
				k.held[uid] = a
			case a.over():
				k.forget([]string{uid})
				k.mu.Unlock()
				continue
			case rapid.Bool().Draw(rt, "lost"):
				a.phase, a.text = lost, "why"
			default:
				a.phase, a.exit, a.verdict = ended, exit{Code: i, Signal: 9, Error: "x"}, []byte{0, 1, 2}
			}
			e, _ := a.entry()
			k.mu.Unlock()
			r.add(e)
			if rapid.Bool().Draw(rt, "written by itself") {
				r.write()
			}
		}
		if err := r.close(); err != nil {
			rt.Fatal(err)
		}
		got, err := readRecord(path, quiet)
		if err != nil || got.keeper != self {
			rt.Fatalf("the record says %+v, %v", got, err)
		}
		want := map[string]*entry{}
		for uid, a := range k.held {
			e, _ := a.entry()
			want[uid] = &e
		}
		if diff := cmp.Diff(want, got.attempts); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestADamagedRecordSaysTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), recordName)
	text := `{"keeper":{"boot":"b","process":{"pid":5,"from":1,"to":1},"leader":true}}
{"generation":12}
{"uid":"a","process":{"pid":6,"from":2,"to":2}}
{"uid":"b","exit":{"code":3}}
nonsense
{"uid":"c","exit":{"code":4}}
{"uid":"d","ex`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*entry{
		"a": {UID: "a", Process: &runtime.ID{PID: 6, From: 2, To: 2}},
		"b": {UID: "b", Exit: &exit{Code: 3}}, "c": {UID: "c", Exit: &exit{Code: 4}},
	}
	if diff := cmp.Diff(want, got.attempts); diff != "" || got.generation != 12 || got.keeper.Process.PID != 5 {
		t.Errorf("%+v %s", got, diff)
	}
}

// A record that cannot be written stops nothing, and becomes whole by itself when it can, though nothing more is added.
func TestTheRecordIsWrittenAnewWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), recordName)
		truth := []entry{{UID: "a", Exit: &exit{Code: 1}}}
		r, err := newRecord(path, quiet, func() []entry { return truth })
		if err != nil {
			t.Fatal(err)
		}
		device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		good := r.file
		r.file = device
		said := func() int {
			synctest.Wait()
			got, err := readRecord(path, quiet)
			if err != nil {
				t.Fatal(err)
			}
			return len(got.attempts)
		}
		add := func(e entry) {
			truth = append(truth, e)
			r.add(e)
			time.Sleep(recordDelay)
		}
		if err := os.Mkdir(path+".new", 0o700); err != nil { // so that no new one can be begun either
			t.Fatal(err)
		}
		add(entry{UID: "b", Exit: &exit{Code: 2}})
		add(entry{UID: "c", Exit: &exit{Code: 3}}) // too soon for another try
		time.Sleep(3 * recordRetry)
		if n := said(); n != 1 {
			t.Errorf("it holds %d attempts; there was room for 1", n)
		}
		if err := os.Remove(path + ".new"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(recordRetry)
		if n := said(); n != 3 {
			t.Errorf("it holds %d attempts when there is room; 3 are true", n)
		}
		add(entry{UID: "d", Exit: &exit{Code: 4}})
		if n := said(); n != 4 {
			t.Errorf("it holds %d attempts after one more; 4 are true", n)
		}
		if err := errors.Join(r.close(), good.Close()); err != nil {
			t.Error(err)
		}
	})
}

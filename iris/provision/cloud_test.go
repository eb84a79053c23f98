package provision_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/fakevm"
	"iris/iris/provision"
	"iris/iris/vm"
)

func newManager(t *testing.T) *fakevm.Manager {
	t.Helper()
	m, err := fakevm.New(fakevm.Config{
		Group: vm.GroupConfig{Name: "test", AcceleratorVariant: "v4-8", MaxSlices: 3, Zones: []string{"us-central1-a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// arm arms a rule on vm.create for group test of a cluster named after the test, whose labels it returns.
func arm(t *testing.T, opts ...chaos.Option) chaos.Labels {
	t.Helper()
	lab := chaos.In(t.Name())
	t.Cleanup(lab.Reset)
	if _, err := lab.Enable("vm.create", append(opts, chaos.Match("group", "test"))...); err != nil {
		t.Fatal(err)
	}
	return chaos.Labels{"cluster": t.Name(), "group": "test"}
}

func TestCreateHandsTheLabelsToTheManager(t *testing.T) {
	m := newManager(t)
	labels := map[string]string{"owner": "iris"}
	s, err := provision.Create(t.Context(), m, chaos.Labels{"group": "test"}, vm.Request{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(labels, s.Labels()); diff != "" {
		t.Error(diff)
	}
}

func TestCreateReturnsTheErrorOfTheManager(t *testing.T) {
	m := newManager(t)
	m.SetFailureMode(fakevm.QuotaExceeded)
	s, err := provision.Create(t.Context(), m, chaos.Labels{"group": "test"}, vm.Request{})
	if s != nil || !errors.Is(err, vm.ErrQuotaExceeded) {
		t.Errorf("got %v, %v; want ErrQuotaExceeded", s, err)
	}
}

func TestAFiringFailsTheCreationBeforeTheManagerIsAsked(t *testing.T) {
	m := newManager(t)
	on := arm(t, chaos.MaxFailures(1))
	s, err := provision.Create(t.Context(), m, on, vm.Request{})
	if s != nil || !errors.Is(err, chaos.ErrInjected) || status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, %v; want an injected UNAVAILABLE", s, err)
	}
	if want := "create a slice of test: chaos: vm.create"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if left := m.Slices(); len(left) != 0 {
		t.Errorf("the failed creation leaves %v", left)
	}
	if _, err := provision.Create(t.Context(), m, on, vm.Request{}); err != nil {
		t.Errorf("after the only firing: %v", err)
	}
}

func TestAFiringCanPassForQuota(t *testing.T) {
	on := arm(t, chaos.Err(vm.ErrQuotaExceeded))
	_, err := provision.Create(t.Context(), newManager(t), on, vm.Request{})
	if !errors.Is(err, vm.ErrQuotaExceeded) || !errors.Is(err, chaos.ErrInjected) {
		t.Errorf("got %v, want an injected ErrQuotaExceeded", err)
	}
}

func TestAFiringInOneGroupLeavesTheOthersAlone(t *testing.T) {
	on := arm(t, chaos.MayNotFire())
	on["group"] = "other"
	if _, err := provision.Create(t.Context(), newManager(t), on, vm.Request{}); err != nil {
		t.Error(err)
	}
}

package auth

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// However many callers come, only so many are remembered, and those that call all the time are among them.
func TestCallersAreRememberedInBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRates(map[Role]Rate{User: {PerSecond: 1, Burst: 1}})
		busy := Identity{Role: User, Name: "busy"}
		if err := r.take(busy); err != nil {
			t.Fatal(err)
		}
		for i := range 10 * maxCallers {
			if err := r.take(Identity{Role: User, Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			if n := len(r.now) + len(r.old); n > 2*maxCallers {
				t.Fatalf("%d callers are remembered", n)
			}
			if i%1000 == 0 && status.Code(r.take(busy)) != codes.ResourceExhausted {
				t.Fatalf("the busy caller was forgotten after %d others", i)
			}
		}
		time.Sleep(time.Second)
		if err := r.take(busy); err != nil {
			t.Error(err)
		}
	})
}

func TestDefaultRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRates(nil)
		for role, burst := range map[Role]int{User: 2000, Admin: 2000, Worker: 20_000, Controller: 100_000} {
			who := Identity{Role: role}
			for i := range burst {
				if err := r.take(who); err != nil {
					t.Fatalf("call %d of a %s at one instant: %v", i+1, role, err)
				}
			}
			if err := r.take(who); (err == nil) != (role == Controller) {
				t.Errorf("one more than %d of a %s: %v", burst, role, err)
			}
		}
	})
}

func TestARateOfNothingLetsNobodyIn(t *testing.T) {
	r := newRates(map[Role]Rate{User: {}})
	if err := r.take(Identity{Role: User}); status.Code(err) != codes.ResourceExhausted || len(status.Convert(err).Details()) > 0 {
		t.Errorf("got %v", err)
	}
}

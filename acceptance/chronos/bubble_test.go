package chronos_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"iris/acceptance/chronos"
)

func TestABubbleHasATimeOfItsOwn(t *testing.T) {
	var later time.Time
	err := chronos.Bubble(t, time.Minute, func() {
		time.Sleep(24 * time.Hour)
		later = time.Now()
	})
	if err != nil || !later.Equal(epoch.Add(24*time.Hour)) {
		t.Errorf("%v at %v", err, later)
	}
}

func TestABubbleSaysWhatIsLeftBehind(t *testing.T) {
	err := chronos.Bubble(t, time.Minute, func() { go func() { <-make(chan int) }() })
	if err == nil || errors.Is(err, chronos.ErrHangs) || !strings.Contains(err.Error(), ".TestABubbleSaysWhatIsLeftBehind.func1.1()") {
		t.Errorf("it says %v", err)
	}
}

func TestABubbleThatHangsIsGivenUp(t *testing.T) {
	outside := make(chan int)
	err := chronos.Bubble(t, 50*time.Millisecond, func() { <-outside })
	if !errors.Is(err, chronos.ErrHangs) || !strings.Contains(err.Error(), ".TestABubbleThatHangsIsGivenUp.func1()") {
		t.Errorf("it says %v", err)
	}
	close(outside)
}

package bundle

import (
	"errors"
	"strings"
	"testing"
)

const hashOfAbc = Hash("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") // FIPS 180-2, B.1

func TestHashIsTheSHA256(t *testing.T) {
	if got := Of([]byte("abc")); got != hashOfAbc {
		t.Error(got)
	}
}

func TestParseHashAcceptsOneSpelling(t *testing.T) {
	good := string(hashOfAbc)
	if h, err := ParseHash(good); err != nil || h != hashOfAbc {
		t.Errorf("got %q, %v", h, err)
	}
	for _, bad := range []string{
		"", good[1:], good + "0", strings.ToUpper(good), "g" + good[1:], " " + good[1:], "../" + good[3:],
	} {
		if h, err := ParseHash(bad); !errors.Is(err, errBadHash) || h != "" {
			t.Errorf("%q is accepted: %q, %v", bad, h, err)
		}
	}
}

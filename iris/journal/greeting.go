package journal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
)

// A voter opens every stream with a greeting that says of which cluster it is, so that voters of two clusters never
// mix their logs: by a mistaken address, or because each of them was told to bootstrap. A new voter is of the
// cluster of the first one that greets it.
const (
	greetingText = "iris log 1\n"
	clusterBytes = 16
)

// Keys under which a voter remembers of which cluster it is, and who.
const (
	clusterKey = "iris.cluster"
	voterKey   = "iris.voter"
)

// errStranger refuses a stream of one who does not belong here.
var errStranger = errors.New("the other side does not belong here")

// identify makes the directory this voter's, unless it is already.
func (r *Raft) identify(found findings) error {
	if found.voter == r.config.ID {
		return nil
	}
	return stableStore{r.entries}.Set([]byte(voterKey), []byte(r.config.ID))
}

// found makes up the identity of a new cluster, unless the voter is of one.
func (r *Raft) found() error {
	stable := stableStore{r.entries}
	if known, err := stable.Get([]byte(clusterKey)); known != nil || err != nil {
		return err
	}
	cluster := make([]byte, clusterBytes)
	_, _ = rand.Read(cluster) // never fails
	return stable.Set([]byte(clusterKey), cluster)
}

// greet opens a stream that was dialled.
func (r *Raft) greet(conn net.Conn) error {
	cluster, err := stableStore{r.entries}.Get([]byte(clusterKey))
	if err != nil {
		return err
	}
	if cluster == nil {
		return errors.New("this voter is of no cluster yet")
	}
	_, err = conn.Write(append([]byte(greetingText), cluster...))
	return err
}

// greeted reads the greeting on a stream that was accepted.
func (r *Raft) greeted(conn net.Conn) error {
	greeting := make([]byte, len(greetingText)+clusterBytes)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return fmt.Errorf("there is no greeting: %w", err)
	}
	cluster, spoken := bytes.CutPrefix(greeting, []byte(greetingText))
	if !spoken {
		return fmt.Errorf("%w: it is not a voter, or one of another version", errStranger)
	}
	stable := stableStore{r.entries}
	known, err := stable.Get([]byte(clusterKey))
	switch {
	case err != nil:
		return err
	case known == nil:
		return stable.Set([]byte(clusterKey), cluster)
	case !bytes.Equal(known, cluster):
		return fmt.Errorf("%w: it is a voter of another cluster; if this one is to join that, empty its directory first",
			errStranger)
	}
	return nil
}

package sshvm

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"iris/iris/vm"
)

// Config is what a manager needs.
type Config struct {
	// Group is the scale group whose slices it makes.
	Group vm.GroupConfig
	// Hosts are the pool. A slice gets those of its zone that are free, in this order, first those that answer.
	Hosts []Host
	// User is whom it logs in as, Key the path of the private key, which has no passphrase.
	User, Key string
	// KnownHosts is the path of a file as ssh has it. Other hosts, and other keys, are refused.
	KnownHosts string
	// Labels are those of every slice, besides the ones it is asked for with. A slice that is found on a host and has not all of
	// them is somebody else's: it is not listed, and its host is taken.
	Labels map[string]string
	// Bootstrap is the shell script that starts the worker on a VM. It must end, leaving the worker in the background, and
	// do nothing if that runs. It runs in a directory of the slice's own, and what it prints is the log of the VM; a line
	// "phase: NAME" names what it is busy with. A worker's own log belongs in worker.log there, its process in worker.pid.
	Bootstrap func(Machine) string
	// Shutdown is the script that stops the worker. It runs in the same directory, and when it ends well, nothing of the
	// slice may run any more. It may run again.
	Shutdown func(Machine) string

	ConnectTimeout  time.Duration // for the connection, and for each order that runs no script; default 10 s
	BootTimeout     time.Duration // for a host to answer; default 300 s
	SSHPoll         time.Duration // between two looks whether a host answers; default 5 s
	InitTimeout     time.Duration // for all tries of Bootstrap together, at least 1 s; default 600 s
	Tries           int           // of Bootstrap; default 3
	RetryPause      time.Duration // before the second try; it doubles with each; default 1 s
	ShutdownTimeout time.Duration // for Shutdown, at least 1 s; default 2 m

	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Host is one of the pool.
type Host struct {
	Address string // host, or host:port; default port 22. The controllers reach its worker by the same host
	Zone    string // one of the group's; default the first
	Dir     string // where everything is kept on it; default .iris in the user's home
}

// Machine is a VM whose scripts are asked for.
type Machine struct {
	Slice, Group, Zone string
	VM                 string // its id, which is the worker's too
	Index, Count       int    // of the VM in its slice, which has that many
	Host               string // name or address of the host, without a port
	Labels             map[string]string
}

const (
	defaultDir  = ".iris"
	defaultPort = "22"
)

// filled is the config with its defaults, or every mistake in it.
func (c Config) filled() (Config, error) {
	wrong := []error{c.Group.Validate()}
	mistake := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, k := range []struct{ is, value string }{
		{"user to log in as", c.User}, {"file of the private key", c.Key}, {"file of known hosts", c.KnownHosts},
	} {
		if k.value == "" {
			mistake("the %s is not named", k.is)
		}
	}
	if c.Bootstrap == nil || c.Shutdown == nil {
		mistake("the scripts that start and stop workers are not given")
	}
	if len(c.Hosts) == 0 {
		mistake("no host is named")
	}
	c.Hosts = slices.Clone(c.Hosts)
	known := map[string]bool{}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		address, err := h.address()
		if err != nil {
			mistake("hosts[%d]: %w", i, err)
		}
		if known[address] && err == nil {
			mistake("hosts[%d]: %s is named twice", i, address)
		}
		known[address] = true
		h.Address, h.Dir = address, cmp.Or(h.Dir, defaultDir)
		if h.Zone == "" && len(c.Group.Zones) > 0 {
			h.Zone = c.Group.Zones[0]
		}
		if !slices.Contains(c.Group.Zones, h.Zone) {
			mistake("hosts[%d]: zone %q is none of the group's: %s", i, h.Zone, strings.Join(c.Group.Zones, ", "))
		}
	}
	for _, d := range []struct {
		name             string
		value            *time.Duration
		least, otherwise time.Duration
	}{
		{"connect timeout", &c.ConnectTimeout, 0, 10 * time.Second}, {"boot timeout", &c.BootTimeout, 0, 300 * time.Second},
		{"ssh poll", &c.SSHPoll, 0, 5 * time.Second}, {"init timeout", &c.InitTimeout, time.Second, 600 * time.Second},
		{"retry pause", &c.RetryPause, 0, time.Second}, {"shutdown timeout", &c.ShutdownTimeout, time.Second, 2 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.otherwise
		} else if *d.value < d.least {
			mistake("%s is %v; it must be at least %v", d.name, *d.value, d.least)
		}
	}
	if c.Tries < 0 {
		mistake("tries is %d; it must be positive", c.Tries)
	}
	c.Tries = cmp.Or(c.Tries, 3)
	c.Labels = maps.Clone(c.Labels)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, errors.Join(wrong...)
}

// address is the host's, with a port.
func (h Host) address() (string, error) {
	name, port, err := net.SplitHostPort(h.Address)
	if err != nil {
		name, port = strings.Trim(h.Address, "[]"), defaultPort
		if strings.Contains(name, ":") && net.ParseIP(name) == nil {
			return h.Address, fmt.Errorf("%q is neither host nor host:port", h.Address)
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || name == "" || strings.ContainsAny(name, "@/ \t\n") {
		return h.Address, fmt.Errorf("%q is neither host nor host:port", h.Address)
	}
	return net.JoinHostPort(name, port), nil
}

package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// checkSSH finds what is wrong with a group's pool of hosts.
func (r *review) checkSSH(g Group) {
	if g.SSH == nil {
		r.fail("ssh", "is missing; say with which user, key, known_hosts and hosts")
		return
	}
	for _, k := range []struct{ key, value, is string }{
		{"user", g.SSH.User, "whom to log in as"},
		{"key", g.SSH.Key, "the file of the private key to log in with"},
		{"known_hosts", g.SSH.KnownHosts, "the file of the keys that hosts are known by, such as ssh-keyscan writes it"},
	} {
		if k.value == "" {
			r.fail("ssh."+k.key, "is missing; name %s", k.is)
		}
	}
	if g.SSH.Controller != "" {
		for _, address := range strings.Split(g.SSH.Controller, ",") {
			if !reachable(address) {
				r.fail("ssh.controller", "has %q; it must be addresses that hosts reach, such as 10.0.0.1:7070, with commas between", address)
			}
		}
	}
	r.checkHosts(g)
}

func (r *review) checkHosts(g Group) {
	hosts := g.Hosts()
	for i, h := range hosts {
		key := fmt.Sprintf("ssh.hosts[%d]", i)
		if !reachable(h.Address) {
			r.fail(key+".address", "is %q; it must be host:port, such as tpu-1:22", h.Address)
		}
		switch {
		case h.Zone == "":
			r.fail(key+".zone", "is missing; name one of the group's %d zones", len(g.Zones))
		case !slices.Contains(g.Zones, h.Zone):
			r.fail(key+".zone", "is %q, which is no zone of the group; known are %s", h.Zone, strings.Join(g.Zones, ", "))
		}
	}
	vms, err := g.VM().VMCount()
	switch {
	case len(hosts) == 0:
		r.fail("ssh.hosts", "is empty; name at least one")
		return
	case err != nil:
		return // that is said
	}
	room := 0
	for i, zone := range g.Zones {
		if slices.Index(g.Zones, zone) < i {
			continue
		}
		n := 0
		for _, h := range hosts {
			if h.Zone == zone {
				n++
			}
		}
		if n < vms {
			r.fail("ssh.hosts", "has %d in zone %q, but a slice needs %d; add hosts, or remove the zone", n, zone, vms)
		}
		room += n / vms
	}
	if room < g.MinSlices && g.MinSlices <= g.MaxSlices {
		r.fail("min_slices", "is %d, but ssh.hosts have room for %d; add hosts or lower it", g.MinSlices, room)
	}
}

// checkHostsOnce finds hosts that would be lent twice.
func (r *review) checkHostsOnce(groups []Group) {
	lent := map[string]string{}
	for i, g := range groups {
		r.group(i, g)
		for k, h := range g.Hosts() {
			key := fmt.Sprintf("ssh.hosts[%d].address", k)
			if first, twice := lent[h.Address]; twice {
				r.fail(key, "is %q, as is %s; remove one of them", h.Address, first)
			} else if h.Address != "" {
				lent[h.Address] = r.part + key
			}
		}
	}
}

// reachable reports whether an address is one that can be dialled from elsewhere: host:port, and nothing around it, such as the
// user's name.
func reachable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	n, e := strconv.Atoi(port)
	return err == nil && e == nil && host != "" && !strings.ContainsAny(host, "@/ \t\r\n") && n > 0 && n <= 65535
}

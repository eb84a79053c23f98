package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"iris/iris/config"
	"iris/iris/controller"
)

// startControllers starts the first controller, and has the others join it.
func (m *Manager) startControllers(c config.Cluster, dir string) error {
	scaling := m.scaling(c)
	for i := range m.options.Controllers {
		id, address := fmt.Sprintf("c-%d", i), ""
		if i == 0 {
			address = c.Controller.Address
		}
		if m.options.durable() {
			picked, err := m.pick(id, address) // the log and the others must know it before it serves there
			if err != nil {
				return fmt.Errorf("controller %s: %w", id, err)
			}
			address = picked
		}
		metrics, calls, err := m.measured(id)
		if err != nil {
			return err
		}
		m.members = append(m.members, &member{
			metrics: metrics, calls: calls,
			id: id, dir: filepath.Join(dir, id), address: address, first: i == 0, config: c, options: m.options,
			log: m.options.Log, ctx: m.ctx, watches: &m.watches, scaling: scaling,
		})
	}
	for _, member := range m.members {
		if err := member.start(); err != nil {
			return err
		}
	}
	return m.join()
}

// pick finds an address that is free for a controller.
func (m *Manager) pick(id, address string) (string, error) {
	listener, err := m.options.network(id).Listen(address)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// join adds all controllers but the first to the cluster.
func (m *Manager) join() error {
	if len(m.members) == 1 {
		return nil
	}
	c, err := m.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing is under way
	for _, member := range m.members[1:] {
		if err := c.AddController(m.ctx, member.id, member.address); err != nil {
			return fmt.Errorf("controller %s does not join: %w", member.id, err)
		}
	}
	return nil
}

// Address is where clients and workers reach the controllers: several are separated by commas.
func (m *Manager) Address() string {
	var addresses []string
	for _, member := range m.members {
		addresses = append(addresses, member.address)
	}
	return strings.Join(addresses, ",")
}

// Controller is the controller that leads, or one that runs while none does; nil if none runs.
func (m *Manager) Controller() *controller.Controller {
	var running *controller.Controller
	for _, member := range m.members {
		c := member.current()
		if c != nil && c.Leads() {
			return c
		}
		if running == nil {
			running = c
		}
	}
	return running
}

// Controllers are the ids of all controllers, running or not: c-0, c-1 and so on.
func (m *Manager) Controllers() []string {
	var ids []string
	for _, member := range m.members {
		ids = append(ids, member.id)
	}
	return ids
}

// Dir is what a controller keeps on its disk.
func (m *Manager) Dir(controller string) string { return m.participant(controller).(*member).dir }

// Leader is the id of the controller that leads; empty while none does.
func (m *Manager) Leader() string {
	i := slices.IndexFunc(m.members, func(member *member) bool {
		c := member.current()
		return c != nil && c.Leads()
	})
	if i < 0 {
		return ""
	}
	return m.members[i].id
}

package view

import (
	"io"

	pb "iris/iris/proto"
)

// Controllers writes a table of the controllers of a cluster.
func Controllers(w io.Writer, terminal Terminal, controllers []*pb.ControllerStatus) error {
	t := table{columns: []column{{title: "ID", least: 8}, {title: "ROLE"}, {title: "ADDRESS", drop: 1, least: 12}}}
	for _, c := range controllers {
		role := cell{text: "follows"}
		switch {
		case c.Leads:
			role = cell{text: "leads", colour: green}
		case c.Joining:
			role = cell{text: "joins", colour: yellow}
		}
		t.add(text(c.ControllerId), role, text(c.Address))
	}
	return t.write(w, terminal)
}

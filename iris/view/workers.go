package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// Workers writes a table of workers. Wide adds columns and cuts nothing.
func Workers(w io.Writer, terminal Terminal, wide bool, now time.Time, workers []*pb.WorkerStatus) error {
	t := table{columns: []column{
		{title: "ID", good: 20, least: 8}, {title: "STATE"}, {title: "CPU", drop: 2, right: true},
		{title: "MEMORY", drop: 3, right: true}, {title: "TASKS", drop: 1, right: true}, {title: "HEARD", drop: 4, right: true},
		{title: "ADDRESS", drop: 5}, {title: "ATTRIBUTES", good: 32, least: 16, drop: 6},
	}}
	if wide {
		terminal.Width = 0
		t.columns = append(t.columns, column{title: "LOST", right: true}, column{title: "INCARNATION"})
	}
	for _, worker := range workers {
		row := []cell{
			text(worker.WorkerId), state(standing(worker)), text(cpuOf(worker)), text(memoryOf(worker)),
			text(strconv.Itoa(len(worker.AttemptUids))), text(ago(worker.LastHeartbeatAt, now)), text(worker.Address),
			text(pairs(worker.Attributes)),
		}
		if wide {
			row = append(row, text(fmt.Sprint(worker.TimesLost)), text(worker.Incarnation))
		}
		t.add(row...)
	}
	return t.write(w, terminal)
}

// standing is a worker's state, and for one that is about to end in good order DRAINING.
func standing(w *pb.WorkerStatus) string {
	if w.Draining && w.State == pb.WorkerState_WORKER_STATE_LIVE {
		return "DRAINING"
	}
	return WorkerState(w.State)
}

// cpuOf is "1.5/4": taken of what there is.
func cpuOf(w *pb.WorkerStatus) string {
	return cores(w.Committed.GetCpuMillis()) + "/" + cores(w.Capacity.GetCpuMillis())
}

func memoryOf(w *pb.WorkerStatus) string {
	taken, all := model.BytesText(w.Committed.GetMemoryBytes()), model.BytesText(w.Capacity.GetMemoryBytes())
	number, unit, _ := strings.Cut(taken, " ")
	if _, same, _ := strings.Cut(all, " "); same == unit || number == "0" {
		taken = number
	}
	return taken + "/" + all
}

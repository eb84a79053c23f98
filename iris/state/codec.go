package state

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
)

// EncodeEntry is the form in which a log keeps commands that were decided at one instant. It shares with them what
// never changes.
func EncodeEntry(at time.Time, commands []Command) *pb.Entry {
	e := &pb.Entry{At: nanos(at), Commands: make([]*pb.Entry_Command, len(commands))}
	for i, command := range commands {
		e.Commands[i] = encodeCommand(command)
	}
	return e
}

// DecodeEntry reads what EncodeEntry wrote, at whatever time and by whatever version. An error says that this version
// cannot know what the entry means.
func DecodeEntry(e *pb.Entry) (at time.Time, commands []Command, err error) {
	if newer(e) {
		return time.Time{}, nil, fmt.Errorf("an entry of the log %w", errNewer)
	}
	commands = make([]Command, len(e.GetCommands()))
	for i, command := range e.GetCommands() {
		if commands[i], err = decodeCommand(command); err != nil {
			return time.Time{}, nil, err
		}
	}
	return instant(e.GetAt()), commands, nil
}

// encodeCommand is the form in which a log keeps a command.
func encodeCommand(command Command) *pb.Entry_Command {
	switch c := command.(type) {
	case SubmitJob:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_SubmitJob{SubmitJob: &pb.Entry_SubmitJob{
			Id: c.ID, Spec: c.Spec, Trace: valid(c.Trace)}}}
	case CancelJob:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_CancelJob{CancelJob: &pb.Entry_CancelJob{
			Id: c.ID, Reason: valid(c.Reason)}}}
	case RegisterWorker:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_RegisterWorker{RegisterWorker: &pb.Entry_RegisterWorker{
			Id: c.ID, Incarnation: c.Incarnation, Address: c.Address, Capacity: c.Capacity.Proto(),
			Attributes: c.Attributes, Reports: encodeReports(c.Reports)}}}
	case LoseWorker:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_LoseWorker{LoseWorker: &pb.Entry_LoseWorker{
			Id: c.ID, Incarnation: c.Incarnation, Cause: valid(c.Cause)}}}
	case Assign:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_Assign{Assign: encodeAssign(c)}}
	case Observe:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_Observe{Observe: &pb.Entry_Observe{
			Worker: c.Worker, Incarnation: c.Incarnation, Reports: encodeReports(c.Reports)}}}
	case FailDispatch:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_FailDispatch{FailDispatch: &pb.Entry_FailDispatch{
			Uid: c.UID, Cause: valid(c.Cause)}}}
	case Expire:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_Expire{Expire: &pb.Entry_Expire{
			At: nanos(c.Deadline.At), Kind: pb.Entry_Expire_Kind(c.Deadline.Kind), Job: c.Deadline.Job,
			Uid: c.Deadline.UID, Reason: valid(c.Reason)}}}
	case SetPolicy:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_SetPolicy{SetPolicy: encodePolicy(c.Policy)}}
	case ForgetJobs:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_ForgetJobs{ForgetJobs: &pb.Entry_ForgetJobs{Ids: c.IDs}}}
	case ForgetWorkers:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_ForgetWorkers{ForgetWorkers: &pb.Entry_ForgetWorkers{
			Ids: c.IDs}}}
	case SetGroups:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_SetGroups{SetGroups: encodeGroups(c.Groups)}}
	case RequestSlice:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_RequestSlice{RequestSlice: &pb.Entry_RequestSlice{
			Group: c.Group, Zone: c.Zone, Reason: valid(c.Reason)}}}
	case RefuseSlice:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_RefuseSlice{RefuseSlice: &pb.Entry_RefuseSlice{
			Id: c.ID, Why: pb.Entry_RefuseSlice_Why(c.Why), Cause: valid(c.Cause)}}}
	case ObserveSlice:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_ObserveSlice{ObserveSlice: &pb.Entry_ObserveSlice{
			Id: c.ID, Group: c.Group, Zone: c.Zone, Vms: encodeVMs(c.VMs)}}}
	case StopSlice:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_StopSlice{StopSlice: &pb.Entry_StopSlice{
			Id: c.ID, Why: pb.Entry_StopSlice_Why(c.Why), Cause: valid(c.Cause)}}}
	case EndSlice:
		return &pb.Entry_Command{Kind: &pb.Entry_Command_EndSlice{EndSlice: &pb.Entry_EndSlice{
			Id: c.ID, Cause: valid(c.Cause)}}}
	}
	panic(fmt.Sprintf("state: unknown command %T", command))
}

// decodeCommand reads what encodeCommand wrote. An error says that this version cannot know what the command means.
func decodeCommand(command *pb.Entry_Command) (Command, error) {
	if err := understood(command); err != nil {
		return nil, err
	}
	switch kind := command.GetKind().(type) {
	case *pb.Entry_Command_SubmitJob:
		return decodeSubmission(kind.SubmitJob)
	case *pb.Entry_Command_CancelJob:
		c := kind.CancelJob
		return CancelJob{ID: c.GetId(), Reason: c.GetReason()}, nil
	case *pb.Entry_Command_RegisterWorker:
		return decodeRegistration(kind.RegisterWorker)
	case *pb.Entry_Command_LoseWorker:
		c := kind.LoseWorker
		return LoseWorker{ID: c.GetId(), Incarnation: c.GetIncarnation(), Cause: c.GetCause()}, nil
	case *pb.Entry_Command_Assign:
		return decodeAssign(kind.Assign)
	case *pb.Entry_Command_Observe:
		return decodeObservation(kind.Observe)
	case *pb.Entry_Command_FailDispatch:
		c := kind.FailDispatch
		return FailDispatch{UID: c.GetUid(), Cause: c.GetCause()}, nil
	case *pb.Entry_Command_Expire:
		return decodeExpiration(kind.Expire)
	case *pb.Entry_Command_SetPolicy:
		return SetPolicy{Policy: decodePolicy(kind.SetPolicy)}, nil
	case *pb.Entry_Command_ForgetJobs:
		return ForgetJobs{IDs: kind.ForgetJobs.GetIds()}, nil
	case *pb.Entry_Command_ForgetWorkers:
		return ForgetWorkers{IDs: kind.ForgetWorkers.GetIds()}, nil
	case *pb.Entry_Command_SetGroups:
		return decodeGroups(kind.SetGroups)
	case *pb.Entry_Command_RequestSlice:
		c := kind.RequestSlice
		return RequestSlice{Group: c.GetGroup(), Zone: c.GetZone(), Reason: c.GetReason()}, nil
	case *pb.Entry_Command_RefuseSlice:
		return decodeRefuseSlice(kind.RefuseSlice)
	case *pb.Entry_Command_ObserveSlice:
		return decodeObserveSlice(kind.ObserveSlice)
	case *pb.Entry_Command_StopSlice:
		return decodeStopSlice(kind.StopSlice)
	case *pb.Entry_Command_EndSlice:
		c := kind.EndSlice
		return EndSlice{ID: c.GetId(), Cause: c.GetCause()}, nil
	}
	return nil, errUnknownCommand
}

var (
	errUnknownCommand = errors.New("the log has a command that this version does not know; upgrade this controller")
	errNewer          = errors.New("has a field that this version does not know; upgrade this controller")
)

// understood refuses a command that says more than this version understands: to leave that out would make another
// cluster of the same log (FM-87).
func understood(command *pb.Entry_Command) error {
	m := command.ProtoReflect()
	kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
	if kind == nil || newer(command) {
		return errUnknownCommand
	}
	if len(m.Get(kind).Message().GetUnknown()) > 0 {
		return fmt.Errorf("the log's command %s %w", kind.Name(), errNewer)
	}
	return nil
}

// newer reports whether a newer version wrote the message. Specs are exempt: what a newer client says in one is kept as
// it is, and no copy of the log acts on it.
func newer(m proto.Message) bool { return len(m.ProtoReflect().GetUnknown()) > 0 }

// valid is a text that some stranger may have had a hand in, as the log can keep it.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func decodeSubmission(c *pb.Entry_SubmitJob) (Command, error) {
	if c.GetSpec() == nil {
		return nil, fmt.Errorf("the log launches job %q without a spec: it is damaged", c.GetId())
	}
	return SubmitJob{ID: c.Id, Spec: c.Spec, Trace: c.Trace}, nil
}

func decodeRegistration(c *pb.Entry_RegisterWorker) (Command, error) {
	reports, err := decodeReports(c.GetReports())
	if err != nil {
		return nil, err
	}
	return RegisterWorker{
		ID: c.GetId(), Incarnation: c.GetIncarnation(), Address: c.GetAddress(), Capacity: ResourcesOf(c.GetCapacity()),
		Attributes: c.GetAttributes(), Reports: reports,
	}, nil
}

func decodeObservation(c *pb.Entry_Observe) (Command, error) {
	reports, err := decodeReports(c.GetReports())
	if err != nil {
		return nil, err
	}
	return Observe{Worker: c.GetWorker(), Incarnation: c.GetIncarnation(), Reports: reports}, nil
}

func encodeReports(reports []Report) []*pb.AttemptReport {
	out := make([]*pb.AttemptReport, len(reports))
	for i, r := range reports {
		out[i] = &pb.AttemptReport{
			AttemptUid: r.UID, State: pb.TaskState(r.State), Error: valid(r.Error), ExitCode: r.ExitCode, Ports: r.Ports,
		}
	}
	return out
}

func decodeReports(reports []*pb.AttemptReport) ([]Report, error) {
	out := make([]Report, len(reports))
	for i, r := range reports {
		if r.State < 0 || r.State > math.MaxUint8 {
			return nil, fmt.Errorf("the log reports attempt %q in state %d, which this version does not know; "+
				"upgrade this controller", r.AttemptUid, r.State)
		}
		if newer(r) {
			return nil, fmt.Errorf("the log's report on attempt %q %w", r.AttemptUid, errNewer)
		}
		out[i] = Report{UID: r.AttemptUid, State: State(r.State), Error: r.Error, ExitCode: r.ExitCode, Ports: r.Ports}
	}
	return out, nil
}

func encodeAssign(c Assign) *pb.Entry_Assign {
	out := &pb.Entry_Assign{Placements: make([]*pb.Entry_Assign_Placement, len(c.Placements))}
	for i, p := range c.Placements {
		out.Placements[i] = &pb.Entry_Assign_Placement{Job: p.Job, Task: p.Task, Worker: p.Worker}
	}
	return out
}

func decodeAssign(c *pb.Entry_Assign) (Command, error) {
	out := Assign{Placements: make([]Placement, len(c.GetPlacements()))}
	for i, p := range c.GetPlacements() {
		if newer(p) {
			return nil, fmt.Errorf("the log's placement of task %s/%d %w", p.Job, p.Task, errNewer)
		}
		out.Placements[i] = Placement{Job: p.Job, Task: p.Task, Worker: p.Worker}
	}
	return out, nil
}

func decodeExpiration(c *pb.Entry_Expire) (Command, error) {
	if _, known := pb.Entry_Expire_Kind_name[int32(c.GetKind())]; !known {
		return nil, fmt.Errorf("the log has a deadline of kind %d of job %q, which this version does not know; "+
			"upgrade this controller", c.GetKind(), c.GetJob())
	}
	return Expire{
		Deadline: Deadline{At: instant(c.GetAt()), Kind: DeadlineKind(c.GetKind()), Job: c.GetJob(), UID: c.GetUid()},
		Reason:   c.GetReason(),
	}, nil
}

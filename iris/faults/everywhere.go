package faults

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// Self is the target that is the asked process.
const Self = "."

var itself = []string{Self}

// everywhere does a call in each process that is a target: here in this one, there in the others, all at once. It makes
// one answer of what they report.
func (s *service) everywhere(ctx context.Context, targets []string, here func() (*pb.ChaosReport, error),
	there func(context.Context, pb.ChaosServiceClient) (*pb.ChaosResponse, error)) (*pb.ChaosResponse, error) {
	members, err := s.members(ctx, targets)
	if err != nil {
		return nil, err
	}
	groups := s.groups(ctx, members)
	reports := make([]*pb.ChaosReport, len(groups))
	var calls sync.WaitGroup
	for i, g := range groups {
		calls.Go(func() {
			report, err := g.ask(ctx, s.config.Timeout, here, there)
			if err != nil {
				report = &pb.ChaosReport{Error: errorOf(err)}
			}
			report.Process = g.process
			reports[i] = report
		})
	}
	calls.Wait()
	return merge(reports)
}

// member is a target: this process, or another one.
type member struct {
	name   string
	client pb.ChaosServiceClient // nil: this process
}

// members are the processes that are meant, in the order of the answer.
func (s *service) members(ctx context.Context, targets []string) ([]member, error) {
	self := member{name: s.config.Names[0]}
	own := func(name string) bool { return name == Self || slices.Contains(s.config.Names, name) }
	if len(targets) > 0 && !slices.ContainsFunc(targets, func(t string) bool { return !own(t) }) {
		return []member{self}, nil
	}
	var others []member
	if s.config.Peers != nil {
		ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		peers, err := s.config.Peers(ctx)
		if err != nil {
			return nil, s.unlisted(err)
		}
		for _, p := range peers {
			if !own(p.Name) {
				others = append(others, member{p.Name, pb.NewChaosServiceClient(p.Conn)})
			}
		}
		slices.SortFunc(others, func(a, b member) int { return strings.Compare(a.name, b.name) })
	}
	if len(targets) == 0 {
		return append([]member{self}, others...), nil
	}
	var meant []member
	for _, target := range targets {
		m := self
		if !own(target) {
			i := slices.IndexFunc(others, func(m member) bool { return m.name == target })
			if i < 0 {
				return nil, s.unknown(target, others)
			}
			m = others[i]
		}
		if !slices.ContainsFunc(meant, func(other member) bool { return other.name == m.name }) {
			meant = append(meant, m)
		}
	}
	return meant, nil
}

// unlisted is the answer if the other processes cannot be listed.
func (s *service) unlisted(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Errorf(codes.Unavailable, "list the processes of cluster %s: %v; target %s reaches this one alone",
		s.config.Cluster, err, s.config.Names[0])
}

// unknown refuses a target that does not exist.
func (s *service) unknown(target string, others []member) error {
	if s.config.Peers == nil {
		return status.Errorf(codes.NotFound, "no process %q here: this is %s, which serves itself alone; ask the controller",
			target, s.config.Names[0])
	}
	names := slices.Clone(s.config.Names)
	for _, m := range others {
		names = append(names, m.name)
	}
	return status.Errorf(codes.NotFound, "no process %q in cluster %s; there is %s", target, s.config.Cluster, list(names))
}

// group is the members that share a process. One of them is asked.
type group struct {
	member
	process *pb.ChaosProcess
	err     error // why it could not be identified
}

// groups asks every member at once which process it is in.
func (s *service) groups(ctx context.Context, members []member) []*group {
	all := make([]*group, len(members))
	var calls sync.WaitGroup
	for i, m := range members {
		calls.Go(func() {
			id, err := s.identify(ctx, m)
			all[i] = &group{member: m, process: &pb.ChaosProcess{Id: id, Names: []string{m.name}}, err: err}
		})
	}
	calls.Wait()
	var groups []*group
	for _, g := range all {
		i := slices.IndexFunc(groups, func(other *group) bool { return other.err == nil && other.process.Id == g.process.Id })
		if i < 0 || g.err != nil {
			groups = append(groups, g)
			continue
		}
		groups[i].process.Names = append(groups[i].process.Names, g.name)
	}
	return groups
}

func (s *service) identify(ctx context.Context, m member) (string, error) {
	if m.client == nil {
		return s.process, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	answer, err := m.client.Identify(ctx, &pb.IdentifyChaosRequest{})
	return answer.GetProcess().GetId(), err
}

// ask makes the call in the group's process.
func (g *group) ask(ctx context.Context, timeout time.Duration, here func() (*pb.ChaosReport, error),
	there func(context.Context, pb.ChaosServiceClient) (*pb.ChaosResponse, error)) (*pb.ChaosReport, error) {
	switch {
	case g.err != nil:
		return nil, g.err
	case g.client == nil:
		return here()
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := there(ctx, g.client)
	if err != nil {
		return nil, err
	}
	if n := len(answer.Reports); n != 1 {
		return nil, status.Errorf(codes.Internal, "%s answers for %d processes, want one", g.name, n)
	}
	return answer.Reports[0], nil
}

// merge is the answer to a call. It is an error if all processes refuse with one code; that they cannot be reached is no
// refusal.
func merge(reports []*pb.ChaosReport) (*pb.ChaosResponse, error) {
	lacks := func(r *pb.ChaosReport) bool { return codes.Code(r.Error.GetCode()) == codes.NotFound }
	if slices.ContainsFunc(reports, func(r *pb.ChaosReport) bool { return r.Error == nil }) {
		return &pb.ChaosResponse{Reports: slices.DeleteFunc(reports, lacks)}, nil
	}
	first := codes.Code(reports[0].Error.Code)
	differs := func(r *pb.ChaosReport) bool { return codes.Code(r.Error.Code) != first }
	if first == codes.Unavailable || first == codes.DeadlineExceeded || slices.ContainsFunc(reports, differs) {
		return &pb.ChaosResponse{Reports: reports}, nil
	}
	if len(reports) == 1 {
		return nil, status.Error(first, reports[0].Error.Message)
	}
	var texts []string
	for _, r := range reports {
		texts = append(texts, r.Process.Names[0]+": "+r.Error.Message)
	}
	return nil, status.Error(first, strings.Join(texts, "; "))
}

func errorOf(err error) *pb.ChaosError {
	st := status.Convert(err)
	return &pb.ChaosError{Code: uint32(st.Code()), Message: st.Message()}
}

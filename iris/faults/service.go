package faults

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	pb "iris/iris/proto"
)

const (
	maxText  = 64 << 10 // bytes of one Enable
	maxRules = 256      // since the last Reset; each keeps its last 1024 firings
)

var anID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Config is what a process needs to serve chaos.
type Config struct {
	// Cluster names the cluster. The service sees and arms the rules of chaos.In(Cluster), and no others.
	Cluster string
	// Names are what the process is called as a target. The first is what it calls itself in answers.
	Names []string
	// Peers are the other processes of the cluster as they are now, lost ones included: those are the ones that need a
	// Reset. It is called for each request that is for others. An error that is a gRPC status is the caller's answer as it
	// is; any other one is UNAVAILABLE. Nil: the service serves its own process alone.
	Peers func(context.Context) ([]Process, error)
	// Timeout bounds each call to a peer. A request makes two, one after the other, to all of them at once. Default 5 s.
	Timeout time.Duration
	// Log tells of every change. Default: slog.Default.
	Log *slog.Logger
}

// Process is another process of the cluster, with a connection to its server.
type Process struct {
	Name string
	Conn grpc.ClientConnInterface
}

// Register adds the ChaosService to a server. It panics without a cluster or a name: these are mistakes in the program.
func Register(server grpc.ServiceRegistrar, config Config) {
	pb.RegisterChaosServiceServer(server, newService(config, process))
}

// process is the id of this one. All services in it have the same.
var process = rand.Text()

// service is the ChaosService of one participant.
type service struct {
	pb.UnimplementedChaosServiceServer
	config  Config
	scope   chaos.Scope
	process string
}

func newService(config Config, process string) *service {
	if len(config.Names) == 0 {
		panic("faults: a process without a name; targets need one")
	}
	if config.Timeout == 0 {
		config.Timeout = 5 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &service{config: config, scope: chaos.In(config.Cluster), process: process}
}

// Identify says which process this is.
func (s *service) Identify(context.Context, *pb.IdentifyChaosRequest) (*pb.IdentifyChaosResponse, error) {
	return &pb.IdentifyChaosResponse{Process: &pb.ChaosProcess{Id: s.process, Names: s.config.Names}}, nil
}

// ListSites reports every site of the program.
func (s *service) ListSites(ctx context.Context, r *pb.ListChaosSitesRequest) (*pb.ChaosResponse, error) {
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		report := &pb.ChaosReport{}
		for _, site := range chaos.Sites() {
			report.Sites = append(report.Sites, &pb.ChaosSite{
				Name: site.Name(), Doc: site.Doc(), Can: strings.Split(site.Can().String(), ", "), Labels: site.Labels(),
			})
		}
		return report, nil
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.ListSites(ctx, &pb.ListChaosSitesRequest{Targets: itself})
	})
}

// ListRules reports every rule of the cluster.
func (s *service) ListRules(ctx context.Context, r *pb.ListChaosRulesRequest) (*pb.ChaosResponse, error) {
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		return reportOf(s.scope.Rules()...), nil
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.ListRules(ctx, &pb.ListChaosRulesRequest{Targets: itself})
	})
}

// Enable arms the rules of a text.
func (s *service) Enable(ctx context.Context, r *pb.EnableChaosRequest) (*pb.ChaosResponse, error) {
	if len(r.Text) > maxText {
		return nil, status.Errorf(codes.InvalidArgument, "a text of %d bytes, want at most %d", len(r.Text), maxText)
	}
	n, err := s.scope.CheckText(r.Text) // before any process arms anything
	switch {
	case err != nil:
		return nil, status.Error(codes.InvalidArgument, err.Error())
	case n == 0:
		return nil, status.Error(codes.InvalidArgument, "the text has no rule, want one, such as worker.heartbeat max 3")
	}
	id := cmp.Or(r.Id, chaos.NewID())
	if !anID.MatchString(id) {
		return nil, status.Errorf(codes.InvalidArgument, "id %q: want 1 to 64 letters, digits, dots, dashes or underscores", id)
	}
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		return s.enable(r.Text, id, n)
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.Enable(ctx, &pb.EnableChaosRequest{Text: r.Text, Id: id, Targets: itself})
	})
}

// enable arms the n rules of a text.
func (s *service) enable(text, id string, n int) (*pb.ChaosReport, error) {
	others := 0
	for _, rule := range s.scope.Rules() {
		if rule.ID() != id && !strings.HasPrefix(rule.ID(), id+".") {
			others++
		}
	}
	if others+n > maxRules {
		return nil, status.Errorf(codes.ResourceExhausted,
			"%d rules were armed since the last reset and these are %d, want at most %d: reset first", others, n, maxRules)
	}
	rules, err := s.scope.EnableAll(text, chaos.ID(id))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.log("chaos rule armed", rules...)
	return reportOf(rules...), nil
}

// Disarm ends a rule.
func (s *service) Disarm(ctx context.Context, r *pb.DisarmChaosRequest) (*pb.ChaosResponse, error) {
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		rule, err := s.rule(r.Id)
		if err != nil {
			return nil, err
		}
		rule.Disarm()
		s.log("chaos rule disarmed", rule)
		return reportOf(rule), nil
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.Disarm(ctx, &pb.DisarmChaosRequest{Id: r.Id, Targets: itself})
	})
}

// Release lets hits go on.
func (s *service) Release(ctx context.Context, r *pb.ReleaseChaosRequest) (*pb.ChaosResponse, error) {
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		rule, err := s.rule(r.Id)
		if err != nil {
			return nil, err
		}
		hits := int(r.Hits)
		if hits == 0 {
			hits = math.MaxInt
		}
		released := rule.Release(hits)
		s.config.Log.Info("chaos rule released hits", "id", rule.ID(), "rule", rule.String(), "hits", released)
		report := reportOf(rule)
		report.Released = uint32(released)
		return report, nil
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.Release(ctx, &pb.ReleaseChaosRequest{Id: r.Id, Hits: r.Hits, Targets: itself})
	})
}

// Reset disarms and forgets the rules of the cluster.
func (s *service) Reset(ctx context.Context, r *pb.ResetChaosRequest) (*pb.ChaosResponse, error) {
	return s.everywhere(ctx, r.Targets, func() (*pb.ChaosReport, error) {
		rules := s.scope.Rules()
		s.scope.Reset()
		s.log("chaos rule disarmed and forgotten", rules...)
		return reportOf(rules...), nil
	}, func(ctx context.Context, c pb.ChaosServiceClient) (*pb.ChaosResponse, error) {
		return c.Reset(ctx, &pb.ResetChaosRequest{Targets: itself})
	})
}

// rule is the one with this id.
func (s *service) rule(id string) (*chaos.Rule, error) {
	var known []string
	for _, rule := range s.scope.Rules() {
		if rule.ID() == id {
			return rule, nil
		}
		known = append(known, rule.ID())
	}
	return nil, status.Errorf(codes.NotFound, "no rule %q; there is %s", id, list(known))
}

func (s *service) log(what string, rules ...*chaos.Rule) {
	for _, rule := range rules {
		s.config.Log.Info(what, "id", rule.ID(), "rule", rule.String())
	}
}

// list names some of many.
func list(names []string) string {
	const shown = 20
	switch rest := len(names) - shown; {
	case len(names) == 0:
		return "none"
	case rest > 0:
		return strings.Join(names[:shown], ", ") + " and " + strconv.Itoa(rest) + " more"
	}
	return strings.Join(names, ", ")
}

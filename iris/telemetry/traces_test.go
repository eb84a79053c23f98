package telemetry

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestTracesAreMadeWhereTheEnvironmentAsksForThem(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		want      bool
	}{
		"nothing is set":     {nil, false},
		"an endpoint":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317"}, true},
		"one for traces":     {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:4317"}, true},
		"switched off":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317", "OTEL_SDK_DISABLED": "TRUE"}, false},
		"no traces exported": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		if got := wanted(func(name string) string { return c.variables[name] }); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// collector is where spans are sent to. It keeps them as they come.
type collector struct {
	mu   sync.Mutex
	text string
}

func (c *collector) take(_ any, stream grpc.ServerStream) error {
	in := &emptypb.Empty{}
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(stream)
	c.mu.Lock()
	c.text += method + string(in.ProtoReflect().GetUnknown())
	c.mu.Unlock()
	return stream.SendMsg(&emptypb.Empty{})
}

func TestSpansAreSentToTheCollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	server := grpc.NewServer(grpc.UnknownServiceHandler(c.take))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	traces, err := NewTraces(t.Context(), "iris-test", "t-0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "a span to be sent")
	span.End()
	if err := traces.Close(); err != nil {
		t.Error(err)
	}
	server.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"/opentelemetry.proto.collector.trace.v1.TraceService/Export", "a span to be sent", "iris-test", "t-0"} {
		if !strings.Contains(c.text, want) {
			t.Errorf("what was sent does not have %q: %q", want, c.text)
		}
	}
}

func TestWithoutTracesThereAreNoOptions(t *testing.T) {
	traces, err := NewTraces(t.Context(), "iris-test", "t-0", slog.New(slog.DiscardHandler))
	if err != nil || traces != nil {
		t.Fatalf("without an endpoint there are traces: %v, %v", traces, err)
	}
	if p := traces.Provider(); p != nil || TraceServer(p) != nil || TraceDial(p) != nil {
		t.Error("there is something to pay for")
	}
	if err := traces.Close(); err != nil {
		t.Error(err)
	}
}

func TestATraceComesBackFromItsText(t *testing.T) {
	p := sdk.NewTracerProvider(sdk.WithSyncer(tracetest.NewInMemoryExporter()))
	ctx, span := p.Tracer("test").Start(t.Context(), "parent")
	text := Traceparent(ctx)
	_, child := p.Tracer("test").Start(Within(context.Background(), text), "child")
	if got, want := child.SpanContext().TraceID(), span.SpanContext().TraceID(); got != want {
		t.Errorf("%q leads to trace %v, want %v", text, got, want)
	}
	never := sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample()))
	ctx, _ = never.Tracer("test").Start(t.Context(), "not recorded")
	for what, ctx := range map[string]context.Context{"no trace": t.Context(), "one that is not recorded": ctx} {
		if text := Traceparent(ctx); text != "" {
			t.Errorf("%s is written as %q", what, text)
		}
	}
	if text := Traceparent(Within(t.Context(), "nonsense")); text != "" {
		t.Errorf("nonsense is read as %q", text)
	}
}

package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	pb "iris/iris/proto"
)

// Traces sends spans to a collector. Nil sends none.
type Traces struct{ provider *sdk.TracerProvider }

// NewTraces sends the spans of a process to where the environment says, over OTLP/gRPC: OTEL_EXPORTER_OTLP_ENDPOINT (or
// …_TRACES_ENDPOINT) and the other variables of OpenTelemetry. If neither is set, or OTEL_SDK_DISABLED is, there are no
// traces: nil. The service is what the process is (iris-controller), the instance which one it is. The collector need
// not be there; spans that it does not take are dropped, and logged.
func NewTraces(ctx context.Context, service, instance string, log *slog.Logger) (*Traces, error) {
	if !wanted(os.Getenv) {
		return nil, nil
	}
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.instance.id", instance),
	), resource.WithFromEnv(), resource.WithTelemetrySDK()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("spans are lost", "error", err) }))
	return &Traces{sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))}, nil
}

// wanted reports whether the environment asks for traces.
func wanted(variable func(string) string) bool {
	return (variable("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") &&
		!strings.EqualFold(variable("OTEL_SDK_DISABLED"), "true") && variable("OTEL_TRACES_EXPORTER") != "none"
}

// Provider makes the spans; nil if there are none.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// traceFlush is how long the last spans of a process may take to be sent.
const traceFlush = 5 * time.Second

// Close sends what has not been sent yet.
func (t *Traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceFlush)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// TraceServer makes spans of the calls that a server serves: those on the way of a job. Nil: of none.
func TraceServer(p trace.TracerProvider) []grpc.ServerOption {
	if p == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(traced(p)...))}
}

// TraceDial makes spans of the calls made over a connection, likewise.
func TraceDial(p trace.TracerProvider) []grpc.DialOption {
	if p == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(traced(p)...))}
}

// onTheWay are the calls on the way of a job. Others would be noise: heartbeats and the like come for ever, and one call
// that starts tasks, or reports on them, is about many jobs.
var onTheWay = map[string]bool{
	pb.ControllerService_LaunchJob_FullMethodName:    true,
	pb.ControllerService_TerminateJob_FullMethodName: true,
	pb.ControllerService_UploadBundle_FullMethodName: true,
	pb.RegistryService_DownloadBundle_FullMethodName: true,
}

func traced(p trace.TracerProvider) []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(p), otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(func(info *stats.RPCTagInfo) bool { return onTheWay[info.FullMethodName] }),
	}
}

// Traceparent is the trace that a context is part of, as W3C writes it; empty if it is none that is to be recorded.
func Traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Within is a context that is part of a trace, given as [Traceparent] returns it.
func Within(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

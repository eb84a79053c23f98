package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"iris/iris/settings"
	"iris/iris/telemetry"
)

// telemetryFlags say where a daemon shows what goes on in it.
type telemetryFlags struct {
	listen   string
	profiles bool
	registry *prometheus.Registry // nil: nothing is measured
	calls    *telemetry.Calls
	spans    *telemetry.Traces
}

func (f *telemetryFlags) add(flags *pflag.FlagSet) {
	settings.Var(flags, &f.listen, "metrics-listen",
		"show /metrics to Prometheus and /healthz over HTTP at this address, in the clear and to everybody; unset, nothing is measured",
		settings.Address())
	settings.Var(flags, &f.profiles, "pprof", "show /debug/pprof/ there too, which must be an address of this machine alone",
		settings.Bool())
}

// check finds what no single flag can tell.
func (f *telemetryFlags) check() error {
	if f.profiles && f.listen == "" {
		return errors.New("--pprof shows its profiles where --metrics-listen says; give it, such as --metrics-listen 127.0.0.1:0")
	}
	return nil
}

// measure makes what measures, and what makes spans, if anything is to. Call it before the daemon starts; hide undoes it.
func (f *telemetryFlags) measure(service, id string, log *slog.Logger) (err error) {
	if f.spans, err = telemetry.NewTraces(context.Background(), service, id, log); err != nil || f.listen == "" {
		return err
	}
	f.registry = telemetry.NewRegistry()
	f.calls, err = telemetry.NewCalls(f.registry)
	return err
}

// metrics is where the daemon registers what it measures.
func (f *telemetryFlags) metrics() prometheus.Registerer {
	if f.registry == nil {
		return nil
	}
	return f.registry
}

// serving and dialling are the options of the daemon's server and connections, the given ones after those that measure.
func (f *telemetryFlags) serving(options []grpc.ServerOption) []grpc.ServerOption {
	return slices.Concat(telemetry.TraceServer(f.spans.Provider()), f.calls.ServerOptions(), options)
}

func (f *telemetryFlags) dialling(options []grpc.DialOption) []grpc.DialOption {
	return slices.Concat(telemetry.TraceDial(f.spans.Provider()), f.calls.DialOptions(), options)
}

// show serves what is measured until hide is called, which also sends the last spans.
func (f *telemetryFlags) show(healthy func() bool, log *slog.Logger) (hide func() error, err error) {
	if f.registry == nil {
		return f.spans.Close, nil
	}
	page, err := telemetry.Serve(telemetry.Page{
		Address: f.listen, Metrics: f.registry, Healthy: healthy, Profiles: f.profiles, Log: log,
	})
	if err != nil {
		return nil, err
	}
	log.Info("metrics are served", "address", page.Address())
	return func() error { return errors.Join(page.Close(), f.spans.Close()) }, nil
}

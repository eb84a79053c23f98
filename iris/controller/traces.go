package controller

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"iris/iris/state"
	"iris/iris/telemetry"
)

// traces make spans of what becomes of the jobs whose launch was part of a trace. Nil makes none.
type traces struct{ trace.Tracer }

func newTraces(p trace.TracerProvider) *traces {
	if p == nil {
		return nil
	}
	return &traces{p.Tracer("iris/iris/controller")}
}

// launch is the trace that a launch is part of.
func (t *traces) launch(ctx context.Context) string {
	if t == nil {
		return ""
	}
	return telemetry.Traceparent(ctx)
}

// begin starts a span about an attempt of a job that has a trace.
func (t *traces) begin(name string, at time.Time, traceparent string, about ...attribute.KeyValue) (context.Context, trace.Span) {
	return t.Start(telemetry.Within(context.Background(), traceparent), name, trace.WithTimestamp(at), trace.WithAttributes(about...))
}

// assigned makes a span of the wait of each task that has an attempt now.
func (t *traces) assigned(effects []state.Effect) {
	if t == nil {
		return
	}
	for _, e := range effects {
		run, ok := e.(state.Run)
		if !ok || run.Attempt.Job().Trace == "" {
			continue
		}
		a := run.Attempt
		_, span := t.begin("queue", a.Waited(), a.Job().Trace, attribute.String("iris.job.id", a.Job().ID),
			attribute.Int("iris.task.index", a.Task()), attribute.Int("iris.attempt.id", a.Number()), attribute.String("iris.worker.id", a.Worker))
		span.End(trace.WithTimestamp(a.Assigned))
	}
}

// try starts the span of a try to deliver an attempt. The worker's spans go below it.
func (t *traces) try(p *parcel, worker string) {
	if t == nil || p.trace == "" {
		return
	}
	var ctx context.Context
	ctx, p.span = t.begin("dispatch", p.began, p.trace, attribute.String("iris.job.id", p.task.JobId),
		attribute.Int("iris.task.index", int(p.task.TaskIndex)), attribute.Int("iris.attempt.id", int(p.task.AttemptId)),
		attribute.String("iris.worker.id", worker), attribute.Int("iris.try", p.tries+1))
	p.task.Traceparent = telemetry.Traceparent(ctx)
}

// tried ends it.
func (t *traces) tried(p *parcel, worker string, err error) {
	if t == nil || p.trace == "" {
		return
	}
	if p.span == nil { // it failed before it was made
		t.try(p, worker)
	}
	if err != nil {
		p.span.SetStatus(codes.Error, err.Error())
	}
	p.span.End()
	p.span = nil
}

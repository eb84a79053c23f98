package worker

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	pb "iris/iris/proto"
	"iris/iris/telemetry"
)

// traces make spans of attempts whose order was part of a trace. Nil makes none.
type traces struct{ trace.Tracer }

func newTraces(p trace.TracerProvider) *traces {
	if p == nil {
		return nil
	}
	return &traces{p.Tracer("iris/iris/worker")}
}

// course is an attempt as a trace shows it: one span from its order to its end, and below it one for each phase. Nil: its
// job is part of no trace. The goroutine that executes the attempt uses it.
type course struct {
	tracer *traces
	ctx    context.Context // of the whole
	whole  trace.Span
	phase  trace.Span // nil before the first and after the last
}

// follow starts the span of an attempt.
func (t *traces) follow(run *pb.TaskRun, worker string, began time.Time) *course {
	if t == nil || run.GetTraceparent() == "" {
		return nil
	}
	ctx, span := t.Start(telemetry.Within(context.Background(), run.Traceparent), "attempt", trace.WithTimestamp(began), trace.WithAttributes(
		attribute.String("iris.job.id", run.JobId), attribute.Int("iris.task.index", int(run.TaskIndex)),
		attribute.Int("iris.attempt.id", int(run.AttemptId)), attribute.String("iris.worker.id", worker),
	))
	return &course{tracer: t, ctx: ctx, whole: span}
}

// advance begins a phase, or ends the whole.
func (c *course) advance(now phase) {
	if c == nil {
		return
	}
	if c.phase != nil {
		c.phase.End()
		c.phase = nil
	}
	switch now.state {
	case pb.TaskState_TASK_STATE_BUILDING:
		_, c.phase = c.tracer.Start(c.ctx, "build")
		return
	case pb.TaskState_TASK_STATE_RUNNING:
		_, c.phase = c.tracer.Start(c.ctx, "run")
		return
	}
	c.whole.SetAttributes(attribute.String("iris.attempt.state", now.state.String()[len("TASK_STATE_"):]))
	if now.exit != nil {
		c.whole.SetAttributes(attribute.Int("iris.exit_code", int(*now.exit)))
	}
	if now.state == pb.TaskState_TASK_STATE_FAILED {
		c.whole.SetStatus(codes.Error, now.text)
	}
	c.whole.End()
}

// within is a context that is part of the phase under way.
func (c *course) within(ctx context.Context) context.Context {
	if c == nil || c.phase == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, c.phase)
}

// Package telemetry is how a process of Iris shows what goes on in it: measurements for Prometheus, a page of them with its
// health, and spans for OpenTelemetry.
//
//	registry := telemetry.NewRegistry()
//	calls, err := telemetry.NewCalls(registry)
//	c, err := controller.Start(controller.Config{
//		Metrics: registry, ServerOptions: calls.ServerOptions(), DialOptions: calls.DialOptions(), …,
//	})
//	page, err := telemetry.Serve(telemetry.Page{Metrics: registry, Healthy: c.Healthy})
//
// What is measured is declared where it is measured; here is what is the same everywhere. Every name begins with iris_ and
// has its unit. Labels have few values: states, methods, codes, sites; never the name or the id of a job.
//
// A trace shows the way of one job: its launch, in the client and the controller; below that the wait of each attempt
// (queue) and each try to deliver it (dispatch); below the try that delivered it what the worker did (attempt: build, run).
// It begins with the launch, or whatever the launch is part of, and is kept in the log, so that it outlives the controller.
package telemetry

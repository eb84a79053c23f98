// Package telemetry is how a process of Iris shows what goes on in it: measurements for Prometheus.
//
//	registry := telemetry.NewRegistry()
//	calls, err := telemetry.NewCalls(registry)
//	c, err := controller.Start(controller.Config{
//		Metrics: registry, ServerOptions: calls.ServerOptions(), DialOptions: calls.DialOptions(), …,
//	})
//
// What is measured is declared where it is measured; here is what is the same everywhere. Every name begins with iris_ and
// ends with its unit. Labels have few values: states, methods, codes, sites; never the name or the id of a job.
package telemetry

package worker

import "iris/chaos"

// The places where chaos may interfere with a worker (design §5).
var (
	registerSite = chaos.NewSite("worker.register",
		"before the Register RPC: the try is lost and the loop backs off", chaos.CanAll, "worker").Carrying()
	heartbeatSite = chaos.NewSite("worker.heartbeat",
		"before the periodic RPC: this beat is lost; also before Register while the worker has never registered",
		chaos.CanAll, "worker").Carrying()
	reportSite = chaos.NewSite("worker.report_task_state",
		"before the ReportTaskState RPC: the report of this attempt is lost",
		chaos.CanAll, "worker").Carrying("job", "task", "attempt")
	submitSite = chaos.NewSite("worker.submit_task",
		"RunTask, on entry: the worker refuses the attempt with the rule's code",
		chaos.CanAll, "worker").Carrying("job", "task", "attempt")
	acceptSite = chaos.NewSite("worker.accept_task",
		"RunTask, when the attempts have begun: the answer is lost, and the controller does not know that they have",
		chaos.CanAll, "worker").Carrying()
	bundleSite = chaos.NewSite("worker.bundle_download",
		"before the bundle is fetched: the attempt FAILS with the rule's error",
		chaos.CanAll, "worker").Carrying("job", "task", "attempt")
	containerSite = chaos.NewSite("worker.create_container",
		"before the process or function is started: the attempt FAILS with the rule's error",
		chaos.CanAll, "worker").Carrying("job", "task", "attempt")
	monitorSite = chaos.NewSite("worker.task_monitor",
		"top of the poll loop: the attempt is killed and FAILS `chaos: monitor crashed`",
		chaos.CanAll, "worker").Carrying("job", "task", "attempt")
)

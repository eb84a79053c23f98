package main

import "github.com/spf13/cobra"

func newJob(a *app) *cobra.Command {
	return newGroup("job", "Run jobs, and ask about them",
		newJobRun(a), newJobAttach(a), newJobList(a), newJobStatus(a), newJobExplain(a), newJobEvents(a), newJobLogs(a),
		newJobStop(a))
}

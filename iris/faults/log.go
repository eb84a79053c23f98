package faults

import (
	"context"
	"log/slog"

	"iris/chaos"
)

// Log writes a line for each fault of the cluster that fires in this process, or has fired since the last Reset, until ctx
// ends: whoever looks for the reason of a failure sees that it was on purpose.
func Log(ctx context.Context, cluster string, log *slog.Logger) {
	watch := chaos.In(cluster).WatchAll()
	defer watch.Stop()
	for {
		e, err := watch.Next(ctx)
		if err != nil {
			return
		}
		attrs := []any{"id", e.By.ID(), "rule", e.Firing.Rule, "labels", e.Firing.Labels, "hit", e.Firing.Nth}
		if e.Missed > 0 {
			attrs = append(attrs, "not logged before", e.Missed)
		}
		log.Warn("chaos rule fired", attrs...)
	}
}

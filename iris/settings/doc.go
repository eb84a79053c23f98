// Package settings gives every flag of every verb of a command three places to be set in. From weak to strong:
//
//   - files in YAML: keys named like the flags, at the top for every verb that has such a flag, or in a section named like
//     the verb as one types it,
//   - environment variables: IRIS_WORKER_TIMEOUT for --worker-timeout; an empty one counts as unset
//     (a flag marked with NoVariable has none),
//   - the command line.
//
// A file looks like this:
//
//	controller: 10.0.0.1:7070,10.0.0.2:7070
//	log-format: json
//	iris worker:
//	  data-dir: /var/lib/iris
//	  attribute: {zone: eu-1}
//
// Usage: declare flags with Var and ListVar, then
//
//	settings.Prepare(root)                       // once, when the tree of commands is complete
//	err := settings.Sources{…}.Apply(command)    // before the command runs
//
// # Guarantees
//
// All mistakes are found at once, each with its place: `iris.yaml:12:19: worker-timeout: "5 parsecs" is not a duration such
// as 90s or 5m`. A value is judged even if a stronger place overrides it. A key that no verb knows is refused, whichever verb
// runs. A flag whose name means one thing for one verb and another for the next (two flags of one name with different usage
// texts) can be set in sections only. After an error the flags' values are not to be used.
package settings

// Package auth decides who may call what. It makes a cluster's certificates and tokens, checks them on every call of
// every service, and refuses whatever no rule allows.
//
//	made, err := auth.Init("secrets", auth.Options{Hosts: []string{"iris.example"}})
//
//	config := auth.Config{CA: "ca.pem", Cert: "controller.pem", Key: "controller-key.pem", Tokens: "tokens"}
//	err = config.CheckListener(address)
//	serving, err := auth.Server(config)             // for the process's server
//	dialling, err := auth.Dial(config, auth.Worker) // for its connections to workers
//
// A caller proves a [Role] with a certificate or a token. [Allowed] is the table of what each role may call; a method
// that is not in it is refused, so that a new one cannot be forgotten. A worker's credential may be bound to a worker
// id, and is then good for that worker alone. Handlers find the caller with [FromContext].
//
// What a caller gets: UNAUTHENTICATED if it has no valid credential, PERMISSION_DENIED if its role may not do this,
// RESOURCE_EXHAUSTED with a RetryInfo if it calls too often. The texts say what to do and never hold a secret.
//
// Files are read again when they change, at most once a second: certificates are renewed, and tokens and certificates
// revoked, without a restart. Files that cannot be read, or are wrong, change nothing: what was read before stays, and
// the log says so. An expired or revoked credential ends with the next call, or the next message of a stream, also on a
// connection that was opened before.
//
// docs/security.md has the threat model, and how to set it up.
package auth

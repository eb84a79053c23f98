// Package pb is the wire of Iris, generated from iris.proto, which documents every message and call.
package pb

//go:generate sh -c "cd ../.. && make generate"

// Command iris is Iris for those who run it and those who use it: the daemons of a cluster, and what one asks of them.
//
// It wires the packages below together. Every verb, or group of verbs, is a file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks for an orderly end; a second one ends the process
	os.Exit(newApp().run(ctx, os.Args[1:]))
}

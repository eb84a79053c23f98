// Command iris is Iris for those who run it and those who use it: the daemons of a cluster, and what one asks of them.
//
// It wires the packages below together and decides nothing. Every verb is a file.
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
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

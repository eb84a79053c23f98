package main

import (
	"log/slog"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"iris/iris/auth"
	"iris/iris/settings"
)

// credentialFlags are the credentials with which a process calls others, and by which it knows them.
type credentialFlags struct{ auth.Config }

func (f *credentialFlags) add(flags *pflag.FlagSet) {
	file := settings.Text("file")
	settings.Var(flags, &f.CA, "ca", "the certificates of the authorities that are believed; with them connections use TLS", file)
	settings.Var(flags, &f.Cert, "cert", "the certificate of this process", file)
	settings.Var(flags, &f.Key, "key", "the key of that certificate", file)
	settings.Var(flags, &f.Token, "token-file", "a file with the token to show with every call", file)
	group(flags, credentialsFlags, "ca", "cert", "key", "token-file")
}

// addServer adds what a server asks of those who call it.
func (f *credentialFlags) addServer(flags *pflag.FlagSet) {
	f.add(flags)
	file := settings.Text("file")
	settings.Var(flags, &f.Tokens, "tokens-file", "the hashes of the tokens that are good here, as iris auth token writes them", file)
	settings.Var(flags, &f.Revoked, "revoked-file", "the serial numbers of certificates that are no longer good, one in a line", file)
	settings.Var(flags, &f.OpenHealth, "open-health", "answer health checks without credentials", settings.Bool())
	group(flags, credentialsFlags, "tokens-file", "revoked-file", "open-health")
}

// dial makes the options of connections to servers of the given roles.
func (f *credentialFlags) dial(log *slog.Logger, roles ...auth.Role) ([]grpc.DialOption, error) {
	f.Log = log
	options, err := auth.Dial(f.Config, roles...)
	if err != nil {
		return nil, usageError{err}
	}
	return options, nil
}

// serve makes the options of a server that listens on an address. Without credentials only this machine may reach it.
func (f *credentialFlags) serve(log *slog.Logger, address string) ([]grpc.ServerOption, error) {
	f.Log = log
	if err := f.CheckListener(address); err != nil {
		return nil, usageError{err}
	}
	options, err := auth.Server(f.Config)
	if err != nil {
		return nil, usageError{err}
	}
	return options, nil
}

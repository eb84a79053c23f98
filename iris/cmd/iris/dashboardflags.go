package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/pflag"

	"iris/iris/auth"
	"iris/iris/dashboard"
	"iris/iris/network"
	"iris/iris/settings"
)

// dashboardFlags say where a controller shows its cluster in a browser.
type dashboardFlags struct{ listen string }

func (f *dashboardFlags) add(flags *pflag.FlagSet) {
	settings.Var(flags, &f.listen, "dashboard-listen",
		"show the cluster to browsers at this address; where credentials are asked for, viewers log in with a token; unset, it is "+
			"not shown", settings.Address())
}

// check finds what no single flag can tell.
func (f *dashboardFlags) check(credentials auth.Config) error {
	switch {
	case f.listen == "" || !credentials.Secured():
		return nil
	case credentials.Tokens == "":
		return errors.New("--dashboard-listen: viewers log in with a token, and there are none; give --tokens-file " +
			"(iris auth token makes them)")
	case credentials.Cert != "" && credentials.CA == "":
		return errors.New("--dashboard-listen: the dashboard makes sure that it asks a controller; give --ca")
	}
	return nil
}

// show serves the dashboard of a controller until hide is called. It calls the controllers without credentials of its own.
func (f *dashboardFlags) show(config dashboard.Config, controllers string, credentials auth.Config,
	log *slog.Logger) (hide func() error, err error) {
	if f.listen == "" {
		return func() error { return nil }, nil
	}
	config.Address, config.Secured, config.Log = f.listen, credentials.Secured(), log
	if config.TLS, err = auth.Web(credentials); err != nil {
		return nil, err
	}
	dialling, err := auth.Dial(auth.Config{CA: credentials.CA, Log: log}, auth.Controller)
	if err != nil {
		return nil, err
	}
	conn, err := network.ToControllers(network.TCP{}, controllers, dialling...)
	if err != nil {
		return nil, err
	}
	config.Conn = conn
	served, err := dashboard.Serve(config)
	if err != nil {
		return nil, errors.Join(listening(err), conn.Close())
	}
	log.Info("the dashboard is served", "address", served.URL())
	return func() error { return errors.Join(served.Close(), conn.Close()) }, nil
}

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"iris/iris/faults"
	"iris/iris/network"
)

func TestADirectoryKeepsAConnectionToEachProcess(t *testing.T) {
	addresses, broken := map[string]string{"w-1": "b", "w-0": "a"}, error(nil)
	dialled := ""
	d := faults.NewDirectory(func(context.Context) (map[string]string, error) { return addresses, broken },
		func(name, address string) (*grpc.ClientConn, error) {
			dialled += name + "@" + address + " "
			if address == "bad" {
				return nil, errors.New("no such address")
			}
			return network.Client(new(network.Memory), address)
		})
	first, err := d.Processes(t.Context())
	equal(t, "error", err, nil)
	equal(t, "names", first[0].Name+" "+first[1].Name, "w-0 w-1")
	again, err := d.Processes(t.Context())
	equal(t, "error", err, nil)
	equal(t, "dialled once each", dialled, "w-0@a w-1@b ")
	equal(t, "the same connection", again[0].Conn, first[0].Conn)

	addresses = map[string]string{"w-1": "c", "w-2": "d"}
	moved, err := d.Processes(t.Context())
	equal(t, "error", err, nil)
	equal(t, "names", moved[0].Name+" "+moved[1].Name, "w-1 w-2")
	equal(t, "dialled those that are new", dialled, "w-0@a w-1@b w-1@c w-2@d ")
	state := func(p faults.Process) connectivity.State { return p.Conn.(*grpc.ClientConn).GetState() }
	for _, p := range first {
		equal(t, "state of an old connection", state(p), connectivity.Shutdown)
	}
	equal(t, "state of a new connection", state(moved[0]), connectivity.Idle)

	broken = errors.New("no leader")
	_, err = d.Processes(t.Context())
	equal(t, "error of the list", err, broken)
	broken, addresses = nil, map[string]string{"w-1": "c", "w-3": "bad"}
	mixed, err := d.Processes(t.Context())
	equal(t, "error", err, nil)
	equal(t, "the good one", mixed[0], moved[0])
	for what, err := range map[string]error{
		"call":  errOf(faults.Connect(mixed[1].Conn).Rules(t.Context())),
		"watch": errOf(faults.Connect(mixed[1].Conn).Watch(t.Context())),
	} {
		equal(t, what+" of the bad one", fmt.Sprint(err), "rpc error: code = Unavailable desc = connect to bad: no such address")
	}

	equal(t, "error of Close", d.Close(), nil)
	equal(t, "state after Close", state(moved[0]), connectivity.Shutdown)
	_, err = d.Processes(t.Context())
	equal(t, "error after Close", fmt.Sprint(err), "the directory is closed")
}

func TestAServiceWantsANameAndACluster(t *testing.T) {
	for want, config := range map[string]faults.Config{
		"faults: a process without a name; targets need one":                                     {Cluster: "demo"},
		`chaos: In(""): want the name of a cluster; use the package's functions for all of them`: {Names: []string{"w-0"}},
	} {
		func() {
			defer func() { equal(t, "panic", fmt.Sprint(recover()), want) }()
			faults.Register(network.Server(), config)
		}()
	}
}

func errOf[T any](_ T, err error) error { return err }

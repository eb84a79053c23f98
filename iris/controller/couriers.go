package controller

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"iris/chaos"
	"iris/iris/leader"
	"iris/iris/network"
	"iris/iris/state"
)

var dispatchSite = chaos.NewSite("controller.dispatch",
	"inside the retry loop, before RunTask: this try fails with UNAVAILABLE", chaos.CanAll,
	"worker", "job", "task", "attempt").Carrying()

var stopSite = chaos.NewSite("controller.stop",
	"before StopTask: this order is lost; the worker hears of it in the answer to its next heartbeat", chaos.CanAll,
	"worker").Carrying()

// couriers are the senders to all live workers, one each. The loop owns the map; the couriers' goroutines are joined by
// close.
type couriers struct {
	config  Config
	history *history
	tell    func(context.Context, leader.Ask)
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	all     map[string]*courier
}

func newCouriers(config Config, h *history, tell func(context.Context, leader.Ask)) *couriers {
	ctx, stop := context.WithCancel(context.Background())
	return &couriers{config: config, history: h, tell: tell, ctx: ctx, stop: stop, all: map[string]*courier{}}
}

// greet opens the first couriers of a term. Each asks its worker for a sign of life, since nobody knows yet which of the
// workers in the log are still there (FM-23).
func (cs *couriers) greet(cluster *state.Cluster) {
	cs.follow(cluster)
	for _, c := range cs.all {
		cs.running.Go(c.greet)
	}
}

// follow opens a courier for each live worker and closes those of workers that are lost or came back as another
// incarnation or elsewhere, with everything they had not delivered (FM-7).
func (cs *couriers) follow(cluster *state.Cluster) {
	for _, w := range cluster.Workers() {
		open := cs.all[w.ID]
		current := open != nil && open.incarnation == w.Incarnation && open.address == w.Address
		if open != nil && (w.Lost || !current) {
			open.stop()
			delete(cs.all, w.ID)
		}
		if !w.Lost && !current {
			cs.open(w)
		}
	}
}

func (cs *couriers) open(w *state.Worker) {
	conn, err := network.Client(cs.config.Network, w.Address, cs.config.DialOptions...)
	if err != nil {
		cs.config.Log.Error("worker has an address that cannot be dialled", "worker", w.ID, "address", w.Address, "error", err)
		return
	}
	c := newCourier(cs, w, conn)
	cs.all[w.ID] = c
	cs.running.Go(c.run)
}

// act hands effects to the couriers of their workers, and wakes each once it has all of its: they go in one call. A worker
// without a courier is gone: nothing is to be sent.
func (cs *couriers) act(effects []state.Effect) {
	touched := map[*courier]struct{}{}
	for _, effect := range effects {
		switch e := effect.(type) {
		case state.Run:
			if c := cs.all[e.Attempt.Worker]; c != nil {
				c.runTask(e.Attempt)
				touched[c] = struct{}{}
			} else {
				cs.undeliverable(e.Attempt)
			}
		case state.Stop:
			if c := cs.all[e.Worker]; c != nil {
				c.stopTask(e.UID)
				touched[c] = struct{}{}
			}
		}
	}
	for c := range touched {
		c.notify()
	}
}

// undeliverable fails the dispatch of an attempt whose worker cannot be dialled at all.
func (cs *couriers) undeliverable(a *state.Attempt) {
	uid, cause := a.UID, "dispatch to "+a.Worker+" failed: its address cannot be dialled"
	cs.running.Go(func() { cs.tell(cs.ctx, decided(state.FailDispatch{UID: uid, Cause: cause})) })
}

// conn is the connection to a worker, or nil.
func (cs *couriers) conn(worker string) *grpc.ClientConn {
	if c := cs.all[worker]; c != nil {
		return c.conn
	}
	return nil
}

func (cs *couriers) close() {
	cs.stop()
	cs.running.Wait()
}

package chaos

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// Labels say what a hit is about, such as cluster, worker, job, task or attempt. The key "cluster" decides
// which [Scope] sees the hit; without it the context of the hit does. Labels handed to this package, or by it to a callback or in a [Firing], must
// not be changed.
type Labels map[string]string

// ChaosLabels is l itself, so that Labels are a [Labeler].
func (l Labels) ChaosLabels() Labels { return l }

// Labeler is what a site is hit on behalf of. ChaosLabels is called only while a rule is armed on the site;
// a pointer as Labeler therefore makes an idle hit free, where a map literal would be built each time.
type Labeler interface{ ChaosLabels() Labels }

// Ability is the set of things that firing may do at a site. A rule that asks for more is refused.
type Ability uint8

// The abilities. Declare CanFail and CanCall only where the error that Hit returns is handled.
const (
	CanFail  Ability = 1 << iota // return an injected error
	CanDelay                     // hold the hit for a while
	CanPause                     // hold the hit until it is released
	CanCall                      // run a callback, whose error is returned

	CanAll = CanFail | CanDelay | CanPause | CanCall
)

// String lists the abilities, as in "fail, delay".
func (a Ability) String() string {
	var words []string
	for i, word := range []string{"fail", "delay", "pause", "call"} {
		if a&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// Site is a named place in production code where chaos may strike. Make it with [NewSite].
type Site struct {
	rules  atomic.Pointer[[]*Rule] // in order of arming, never changed in place; nil while idle
	name   string
	doc    string
	can    Ability
	target []string
	labels []string // all that hits have, if it is known
	fired  atomic.Uint64
}

var siteName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+(:[A-Za-z0-9_./-]+)?$`)

// NewSite declares a site, once, as a package variable. The name is dotted lower-case words
// ("controller.dispatch"); a place that is passed for many things alike has a site for each, with the thing
// behind a colon ("grpc.client.request:/shop.Orders/Place"). Doc says in one line where the site is and what firing does, can is what firing
// may do. The target keys are the labels that tell one target from another for decisions and counters
// ("worker"); none means that all hits are one target. It panics on a malformed or duplicate name and on an
// empty or unknown ability: these are mistakes in the program.
func NewSite(name, doc string, can Ability, target ...string) *Site {
	if !siteName.MatchString(name) {
		panic(fmt.Sprintf("chaos: site name %q: want dotted lower-case words, as in controller.dispatch", name))
	}
	if can == 0 || can&^CanAll != 0 {
		panic(fmt.Sprintf("chaos: site %s: ability %#x: want one or more of %v", name, uint8(can), CanAll))
	}
	s := &Site{name: name, doc: doc, can: can, target: target}
	if !declare(s) {
		panic(fmt.Sprintf("chaos: site %s is declared twice: declare it once, as a package variable", name))
	}
	return s
}

// Carrying says which labels the hits of the site have besides its target keys and "cluster", and returns
// the site: it is part of the declaration. A rule that matches any other label is refused from then on;
// without Carrying it would only never match.
func (s *Site) Carrying(labels ...string) *Site {
	s.labels = slices.Concat([]string{clusterKey}, s.target, labels)
	return s
}

// Labels are the labels that hits of the site have, "cluster" first; nil if its declaration does not say.
func (s *Site) Labels() []string { return slices.Clone(s.labels) }

// Name is the key of the site, as in "controller.dispatch".
func (s *Site) Name() string { return s.name }

// Doc is the one-line description given to NewSite.
func (s *Site) Doc() string { return s.doc }

// Can is what firing may do here.
func (s *Site) Can() Ability { return s.can }

// Armed reports whether any rule is armed on the site, of whatever scope. It is one inlined atomic load.
func (s *Site) Armed() bool { return s.rules.Load() != nil }

// Enable arms a rule on the site for every cluster; it is the package's [Enable] without the key.
func (s *Site) Enable(opts ...Option) (*Rule, error) { return arm(Scope{}, s, opts) }

// Hit passes the site on behalf of on (nil: no labels). Nil means go on. Delays and pauses happen inside.
//
// An error is one of two. An injected failure is [ErrInjected] and carries the rule's gRPC status. If ctx
// ends during a delay or pause, the error is not ErrInjected: it carries the gRPC status of ctx.Err(),
// DEADLINE_EXCEEDED or CANCELED, and errors.Is(err, ctx.Err()) holds.
func (s *Site) Hit(ctx context.Context, on Labeler) (err error) {
	if s.rules.Load() != nil { // in this form, the idle path of callers that return err comes out shortest
		err = s.pass(ctx, on)
	}
	return err
}

// pass shows the hit to every armed rule in turn, until one fails it.
func (s *Site) pass(ctx context.Context, on Labeler) error {
	rules := s.rules.Load()
	if rules == nil {
		return nil // disarmed since Hit looked
	}
	var labels Labels
	if on != nil {
		labels = on.ChaosLabels()
	}
	labels = labels.in(ctx)
	target := s.targetOf(labels)
	for _, r := range *rules {
		does := r.decide(target, labels)
		if does == nil {
			continue
		}
		if err := r.act(ctx, does, labels); err != nil {
			return err
		}
	}
	return nil
}

// targetOf joins the values of the target labels with "/"; a site without target keys has the one target
// "".
func (s *Site) targetOf(labels Labels) string {
	if len(s.target) == 1 {
		return labels[s.target[0]]
	}
	values := make([]string, len(s.target))
	for i, key := range s.target {
		values[i] = labels[key]
	}
	return strings.Join(values, "/")
}

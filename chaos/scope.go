package chaos

import (
	"context"
	"maps"
)

// clusterKey is the label that scopes look at.
const clusterKey = "cluster"

// Scope keeps the rules of one cluster to that cluster: they see only hits whose "cluster" label is its
// name, and its methods see only them. A hit without that label has the scope of its context, see
// [Scope.Context]: a cluster may be whatever is to be kept apart, such as a test. Scopes are comparable; those of
// the same name are the same. The zero Scope is every cluster, and the package's functions are its methods.
type Scope struct{ cluster string }

// In is the scope of the named cluster. It panics on "", which would silently mean every cluster.
func In(cluster string) Scope {
	if cluster == "" {
		panic("chaos: In(\"\"): want the name of a cluster; use the package's functions for all of them")
	}
	return Scope{cluster}
}

// Enable arms a rule in the scope; otherwise it is the package's [Enable].
func (c Scope) Enable(key string, opts ...Option) (*Rule, error) {
	site, err := find(key)
	if err != nil {
		return nil, err
	}
	return arm(c, site, opts)
}

// Name is the name that [In] was given, which is the value of the label "cluster"; "" for the zero Scope.
func (c Scope) Name() string { return c.cluster }

// scopeKey is where a context keeps a Scope.
type scopeKey struct{}

// Context is parent for what is to be seen by the rules of the scope: a hit with this context, or one that
// comes from it, has the label "cluster" of the scope unless it has one of its own. So a program that has no
// such label can be kept apart by the contexts that it hands down. Of two scopes, the inner one counts.
func (c Scope) Context(parent context.Context) context.Context {
	return context.WithValue(parent, scopeKey{}, c)
}

// ScopeOf is the scope that [Scope.Context] gave ctx, or the zero Scope.
func ScopeOf(ctx context.Context) Scope {
	scope, _ := ctx.Value(scopeKey{}).(Scope)
	return scope
}

// in is the labels of a hit, with the scope of its context if they have none.
func (l Labels) in(ctx context.Context) Labels {
	if l[clusterKey] != "" {
		return l
	}
	scope := ScopeOf(ctx)
	if scope == (Scope{}) {
		return l
	}
	scoped := Labels{}
	maps.Copy(scoped, l)
	scoped[clusterKey] = scope.cluster
	return scoped
}

// sees reports whether a hit with these labels is in the scope.
func (c Scope) sees(labels Labels) bool { return c == Scope{} || labels[clusterKey] == c.cluster }

// holds reports whether r is one of the scope's rules.
func (c Scope) holds(r *Rule) bool { return c == Scope{} || r.scope == c }

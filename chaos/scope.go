package chaos

// clusterKey is the label that scopes look at.
const clusterKey = "cluster"

// Scope keeps the rules of one cluster to that cluster: they see only hits whose "cluster" label is its
// name, and its methods see only them. Scopes are comparable; those of the same name are the same. The zero
// Scope is every cluster, and the package's functions are its methods.
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

// sees reports whether a hit with these labels is in the scope.
func (c Scope) sees(labels Labels) bool { return c == Scope{} || labels[clusterKey] == c.cluster }

// holds reports whether r is one of the scope's rules.
func (c Scope) holds(r *Rule) bool { return c == Scope{} || r.scope == c }

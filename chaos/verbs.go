package chaos

import (
	"context"
	"errors"
)

// Enable arms a rule on the site called key, for every cluster, behind the rules already there. Without
// options it fails every hit. An unknown key is refused with the nearest and all known ones, a bad option
// with its value and what is allowed, an action that the site cannot do with what it can. A refused rule
// changes nothing.
func Enable(key string, opts ...Option) (*Rule, error) { return Scope{}.Enable(key, opts...) }

// Chaos passes the site called key, without labels and without a context to end a wait, and reports whether
// a failure was injected; a delay alone is none. It panics on an unknown key, with the text of Raise: false
// would hide the mistake.
func Chaos(key string) bool {
	site, err := find(key)
	if err != nil {
		panic(err.Error())
	}
	return errors.Is(site.Hit(context.Background(), nil), ErrInjected)
}

// Raise passes the site called key, as Chaos does, and returns the injected failure, or nil. An unknown key
// is an error too, one that is not ErrInjected and names the nearest key.
func Raise(key string) error {
	site, err := find(key)
	if err != nil {
		return err
	}
	return site.Hit(context.Background(), nil)
}

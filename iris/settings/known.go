package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// known are the settings that a tree of commands has: verb, as one types it, to flag name to usage.
type known map[string]map[string]string

func settingsOf(root *cobra.Command) known {
	all := known{}
	walk(root, func(c *cobra.Command) {
		if !c.Runnable() {
			return
		}
		flags := map[string]string{}
		note := func(flag *pflag.Flag) {
			if noted(flag) != nil && flag.Name != FileFlag {
				flags[flag.Name] = flag.Usage
			}
		}
		c.Flags().VisitAll(note)
		for parent := c; parent != nil; parent = parent.Parent() {
			parent.PersistentFlags().VisitAll(note)
		}
		all[c.CommandPath()] = flags
	})
	return all
}

func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, child := range c.Commands() {
		walk(child, visit)
	}
}

// verbs are those that have a flag.
func (k known) verbs(flag string) []string {
	var verbs []string
	for _, verb := range slices.Sorted(maps.Keys(k)) {
		if _, ok := k[verb][flag]; ok {
			verbs = append(verbs, verb)
		}
	}
	return verbs
}

// flags are the names of all settings that can stand at the top of a file.
func (k known) flags() []string {
	names := map[string]bool{}
	for _, flags := range k {
		for name := range flags {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkTop judges a key at the top of a file.
func (k known) checkTop(key string) error {
	verbs := k.verbs(key)
	if len(verbs) == 0 {
		names := append(k.flags(), slices.Sorted(maps.Keys(k))...)
		return fmt.Errorf("unknown setting %q%s", key, meant(nearest(key, names)))
	}
	for _, verb := range verbs[1:] {
		if k[verb][key] != k[verbs[0]][key] {
			return fmt.Errorf("%s means one thing to `%s` and another to `%s`; put it into a section: `%s:`",
				key, verbs[0], verb, verbs[0])
		}
	}
	return nil
}

// checkSection judges a key in a section.
func (k known) checkSection(verb, key string) error {
	flags := k[verb]
	if _, ok := flags[key]; ok {
		return nil
	}
	if verbs := k.verbs(key); len(verbs) > 0 {
		return fmt.Errorf("`%s` has no setting %q; it is one of `%s`", verb, key, strings.Join(verbs, "`, `"))
	}
	return fmt.Errorf("`%s` has no setting %q%s", verb, key, meant(nearest(key, slices.Sorted(maps.Keys(flags)))))
}

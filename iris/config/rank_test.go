package config_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iris/iris/config"
)

// scaling is groups that scale, each written name/priority/after,after.
func scaling(specs ...string) config.Cluster {
	c := config.Cluster{Name: "c"}
	for _, s := range specs {
		part := strings.Split(s, "/")
		g := config.Group{Name: part[0], Platform: config.Local, CPU: 1, Memory: 1 << 30, MaxSlices: 1, Zones: []string{"z"}}
		_, _ = fmt.Sscan(part[1], &g.Priority)
		if part[2] != "" {
			g.After = strings.Split(part[2], ",")
		}
		c.Groups = append(c.Groups, g)
	}
	return c
}

// order is the names of the groups as they are asked, with a look at their ranks.
func order(t interface{ Errorf(string, ...any) }, c config.Cluster) []string {
	var names []string
	for i, g := range c.ScaleGroups() {
		if g.Rank != i {
			t.Errorf("the rank of %s, at %d, is %d", g.Name, i, g.Rank)
		}
		names = append(names, g.Name)
	}
	return names
}

func TestGroupsAreAskedByPriorityThenNameButNotBeforeThoseTheyAreAfter(t *testing.T) {
	for _, c := range []struct {
		groups []string
		want   string
	}{
		{nil, ""},
		{[]string{"b//", "a//", "c//"}, "a b c"},
		{[]string{"a/101/", "b//", "c/99/"}, "c b a"}, // 100 is the default
		{[]string{"a/100/", "b//"}, "a b"},
		{[]string{"a/1/c", "b/2/", "c/300/"}, "b c a"},
		{[]string{"a//b", "b//c", "c//"}, "c b a"},
		{[]string{"a//c,b", "b/7/", "c//", "d/8/"}, "b d c a"},
	} {
		got := scaling(c.groups...)
		if err := got.Validate(); err != nil {
			t.Error(err)
		}
		same(t, strings.Join(order(t, got), " "), c.want)
	}
}

func TestFixedGroupsAreNotAsked(t *testing.T) {
	c := scaling("a//", "b//")
	c.Groups[0].Platform, c.Groups[0].MinSlices = config.Fixed, 1
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	same(t, order(t, c), []string{"b"})
}

func TestEachCycleIsNamed(t *testing.T) {
	for _, c := range []struct {
		groups []string
		want   string
	}{
		{[]string{"b//a", "a//b"}, "groups[0] b: after makes a cycle, b after a after b; remove one of them"},
		{[]string{"x//b", "a//b", "b//c", "c//a"}, "groups[1] a: after makes a cycle, a after b after c after a; remove one of them"},
		{[]string{"d//c", "c//d", "b//a", "a//b"}, "groups[2] b: after makes a cycle, b after a after b; remove one of them\n" +
			"groups[0] d: after makes a cycle, d after c after d; remove one of them"},
		{[]string{"a//a"}, "groups[0] a: after[0] is the group itself; remove it"},
	} {
		same(t, fmt.Sprint(scaling(c.groups...).Validate()), c.want)
	}
	_, err := config.Parse("c.yaml", []byte(`name: c
groups:
  - {name: a, platform: local, cpu: 1, memory: 1GiB, max_slices: 1, zones: [z]}
  - name: tpu-a
    platform: local
    cpu: 1
    memory: 1GiB
    max_slices: 1
    zones: [z]
    after: [a, tpu-b]
  - {name: tpu-b, platform: local, cpu: 1, memory: 1GiB, max_slices: 1, zones: [z], after: [tpu-a]}
`))
	same(t, fmt.Sprint(err), "c.yaml:10: groups[1] tpu-a: after makes a cycle, tpu-a after tpu-b after tpu-a; remove one of them")
}

// Of any groups without a cycle the order has each once, none before one that it is after, and one of a higher priority or
// name stands before another only if that had to wait.
func TestTheOrderIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "groups")
		var specs []string
		for i := range n {
			var after []string
			for j := range i { // so that there is no cycle
				if rapid.IntRange(0, 2).Draw(t, "after") == 0 {
					after = append(after, string(rune('a'+(j*3)%7)))
				}
			}
			priority := rapid.IntRange(1, 3).Draw(t, "priority")
			specs = append(specs, fmt.Sprintf("%c/%d/%s", 'a'+(i*3)%7, priority, strings.Join(after, ",")))
		}
		c := scaling(rapid.Permutation(specs).Draw(t, "file")...)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		names := order(t, c)
		if len(names) != n {
			t.Fatalf("%d of %d groups are asked", len(names), n)
		}
		of := func(name string) config.Group {
			return c.Groups[slices.IndexFunc(c.Groups, func(g config.Group) bool { return g.Name == name })]
		}
		for i, name := range names {
			for _, a := range of(name).After {
				if slices.Index(names, a) > i {
					t.Errorf("%s is asked before %s: %v", name, a, names)
				}
			}
			for _, later := range names[i+1:] {
				free := !slices.ContainsFunc(of(later).After, func(a string) bool { return slices.Index(names, a) >= i })
				first := cmp.Or(of(later).Priority-of(name).Priority, strings.Compare(later, name)) < 0
				if free && first {
					t.Errorf("%s could have been asked before %s: %v", later, name, names)
				}
			}
		}
	})
}

func TestAPaceIsTheGroupsThenThatOfAllThenTheDefault(t *testing.T) {
	c := scaling("a//")
	c.Autoscaler.Pace = config.Pace{BootTimeout: time.Second, InitTimeout: time.Second}
	c.Groups[0].Pace = config.Pace{BootTimeout: 2 * time.Second}
	p := c.ScaleGroups()[0].Pace
	same(t, []time.Duration{p.BootTimeout, p.InitTimeout, p.ShortLived},
		[]time.Duration{2 * time.Second, time.Second, 5 * time.Minute})
}

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// reader fills a description from a file. It goes on after a mistake, which the library's decoder does not, and knows the
// line of everything that it read.
type reader struct {
	lines   map[string]int      // of each key and element, by its place
	anchors map[string]ast.Node // by name, those that came so far
	merging []ast.MapNode       // what << is bringing in, to stop where it brings in itself
	refused []string            // the places of what could not be read
	wrong   []mistake
}

func newReader() *reader {
	return &reader{lines: map[string]int{}, anchors: map[string]ast.Node{}}
}

func (r *reader) read(file *ast.File, c *Cluster) {
	if len(file.Docs) > 1 {
		r.fail("", "the file has more than one document; a file describes one cluster")
	}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		r.value("", file.Docs[0].Body, reflect.ValueOf(c).Elem())
	}
}

// line is that of a mistake; of what is missing, the line of what it is missing in.
func (r *reader) line(m mistake) int {
	if m.line > 0 {
		return m.line
	}
	for at := m.at; at != ""; {
		if line, there := r.lines[at]; there {
			return line
		}
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	return 1
}

// unread reports whether a place, or what it is in, could not be read: what its value is was then not said.
func (r *reader) unread(at string) bool {
	return slices.ContainsFunc(r.refused, func(place string) bool {
		rest, within := strings.CutPrefix(at, place)
		return within && (rest == "" || place == "" || rest[0] == '.' || rest[0] == '[')
	})
}

func (r *reader) fail(at, format string, args ...any) {
	r.wrong = append(r.wrong, mistake{at, fmt.Sprintf(format, args...), 0})
}

// refuse is for a value that cannot be one of its key's.
func (r *reader) refuse(at string, node ast.Node, must string) {
	name := at
	if at == "" {
		name = "the file"
	}
	r.refused = append(r.refused, at)
	r.fail(at, "%s is %s; it must be %s", name, shown(node), must)
}

// value reads what is at a place into to.
func (r *reader) value(at string, node ast.Node, to reflect.Value) {
	if node = r.resolve(at, node); node == nil {
		return
	}
	if node.Type() == ast.NullType {
		return // as if the key were not there
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		r.value(at, node, to.Elem())
	case reflect.Struct:
		r.section(at, node, to)
	case reflect.Slice:
		r.list(at, node, to)
	case reflect.Map:
		r.table(at, node, to)
	default:
		r.scalar(at, node, to)
	}
}

// resolve is what an anchor or an alias stands for; nil after a mistake.
func (r *reader) resolve(at string, node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.AnchorNode:
		value := r.resolve(at, n.Value)
		r.anchors[n.Name.GetToken().Value] = value
		return value
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		if value := r.anchors[name]; value != nil {
			return value
		}
		r.refused = append(r.refused, at)
		r.fail(at, "%s is *%s, but nothing before it is called &%s", at, name, name)
		return nil
	}
	return node
}

// section reads a mapping whose keys are the fields of a struct.
func (r *reader) section(at string, node ast.Node, to reflect.Value) {
	fields, known := map[string]reflect.Value{}, []string(nil)
	for i := range to.NumField() {
		key := to.Type().Field(i).Tag.Get("yaml")
		fields[key], known = to.Field(i), append(known, key)
	}
	for _, p := range r.pairs(at, node) {
		place := strings.TrimPrefix(at+"."+p.key, ".")
		r.lines[place] = p.line
		if field, there := fields[p.key]; there {
			r.value(place, p.value, field)
		} else {
			r.fail(place, "%s: unknown key; known are %s", place, strings.Join(known, ", "))
		}
	}
}

// table reads a mapping with any keys.
func (r *reader) table(at string, node ast.Node, to reflect.Value) {
	to.Set(reflect.MakeMap(to.Type()))
	for _, p := range r.pairs(at, node) {
		place, value := at+"."+p.key, reflect.New(to.Type().Elem()).Elem()
		r.lines[place] = p.line
		r.value(place, p.value, value)
		to.SetMapIndex(reflect.ValueOf(p.key), value)
	}
}

func (r *reader) list(at string, node ast.Node, to reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.refuse(at, node, "a list")
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(sequence.Values), len(sequence.Values)))
	for i, element := range sequence.Values {
		place := fmt.Sprintf("%s[%d]", at, i)
		r.lines[place] = element.GetToken().Position.Line
		r.value(place, element, to.Index(i))
	}
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs are the entries of a mapping, each key once: its own, then those that << brings in.
func (r *reader) pairs(at string, node ast.Node) []pair {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		r.refuse(at, node, "a mapping of keys to values")
		return nil
	}
	if slices.Contains(r.merging, mapping) {
		r.fail(at, "%s: << brings in what it is part of", at)
		return nil
	}
	r.merging = append(r.merging, mapping)
	defer func() { r.merging = r.merging[:len(r.merging)-1] }()
	var own, merged []pair
	for entries := mapping.MapRange(); entries.Next(); {
		key := entries.Key()
		name, line := key.GetToken().Value, key.GetToken().Position.Line
		same := slices.IndexFunc(own, func(p pair) bool { return p.key == name })
		switch {
		case key.IsMergeKey():
			merged = append(merged, r.merged(at, entries.Value())...)
		case key.Type() != ast.StringType:
			r.wrong = append(r.wrong, mistake{at, fmt.Sprintf("the key %s is no text; put it in quotes", name), line})
		case same >= 0:
			text := fmt.Sprintf("the key %q is there twice, first in line %d; remove one", name, own[same].line)
			r.wrong = append(r.wrong, mistake{at, text, line})
		default:
			own = append(own, pair{name, line, entries.Value()})
		}
	}
	for _, p := range merged {
		if !slices.ContainsFunc(own, func(o pair) bool { return o.key == p.key }) {
			own = append(own, p)
		}
	}
	return own
}

// merged are the entries of the mapping that << names, or of each of a list of them.
func (r *reader) merged(at string, node ast.Node) []pair {
	if node = r.resolve(at, node); node == nil {
		return nil
	}
	if sequence, ok := node.(*ast.SequenceNode); ok {
		var all []pair
		for _, element := range sequence.Values {
			all = append(all, r.merged(at, element)...)
		}
		return all
	}
	return r.pairs(at, node)
}

// scalar reads a single value, as the library does.
func (r *reader) scalar(at string, node ast.Node, to reflect.Value) {
	if to.Kind() == reflect.Int && node.Type() != ast.IntegerType { // the library rounds fractions
		r.refuse(at, node, "a whole number")
		return
	}
	if err := yaml.NodeToValue(node, to.Addr().Interface()); err != nil {
		r.refuse(at, node, kindOf(to))
		return
	}
	if to.IsZero() && hasDefault(at) {
		r.fail(at, "%s is %s, which is no setting; leave it out for its default, or make it positive", at, shown(node))
	}
}

// hasDefault reports whether zero at a place would silently be something else.
func hasDefault(at string) bool {
	return strings.HasPrefix(at, "autoscaler.") || strings.Contains(at, "].pace.") || strings.HasSuffix(at, "].priority")
}

// kindOf is what a scalar must be.
func kindOf(to reflect.Value) string {
	switch to.Interface().(type) {
	case time.Duration:
		return "a duration such as 90s or 5m"
	case Bytes:
		return "a size such as 16GiB"
	case float64:
		return "a number"
	case int:
		return "a whole number"
	case bool:
		return "true or false"
	}
	return "text"
}

// shown is a value for an error, in one line.
func shown(node ast.Node) string {
	switch node.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.StringType, ast.LiteralType:
		return strconv.Quote(node.GetToken().Value)
	}
	return node.GetToken().Value
}

package settings

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// entry is a key of a file with its value, or a section. Those of sections come after those of the top, and so are stronger.
type entry struct {
	section string   // empty at the top
	key     string   // empty for the section itself
	place   string   // of the value: file:line:column
	keyAt   string   // of the key
	texts   []string // several for a list
	err     error    // what is wrong with the value, whatever the setting
	list    bool     // it was written as a list or as a mapping
}

func readable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

// readFile reads a file of settings. An error says where in it; one of fs.ErrNotExist is passed on.
func readFile(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		syntax := (*yaml.SyntaxError)(nil)
		if errors.As(err, &syntax) && syntax.Token != nil {
			at := syntax.Token.Position
			return nil, fmt.Errorf("%s:%d:%d: %s", path, at.Line, at.Column, syntax.Message)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := reader{path: path}
	for i, doc := range file.Docs {
		if i > 0 {
			return nil, fmt.Errorf("%s: settings are one document, and this file has %d", path, len(file.Docs))
		}
		if doc.Body == nil {
			continue // an empty file
		}
		if err := r.top(doc.Body); err != nil {
			return nil, err
		}
	}
	return append(r.tops, r.sections...), nil
}

type reader struct {
	path           string
	tops, sections []entry
}

func (r *reader) place(node ast.Node) string {
	if mapping, ok := node.(ast.MapNode); ok { // begins with its first key, not with that one's colon
		if pairs := mapping.MapRange(); pairs.Next() {
			node = pairs.Key()
		}
	}
	at := node.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", r.path, at.Line, at.Column)
}

// pairs calls visit for each key of a mapping. The parser has seen to it that none comes twice.
func (r *reader) pairs(node ast.Node, visit func(key string, keyNode, value ast.Node) error) error {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return fmt.Errorf("%s: this must be settings, each `name: value`", r.place(node))
	}
	for pairs := mapping.MapRange(); pairs.Next(); {
		keyNode, value := pairs.Key(), pairs.Value()
		if err := visit(keyNode.GetToken().Value, keyNode, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) top(node ast.Node) error {
	return r.pairs(node, func(key string, keyNode, value ast.Node) error {
		if !strings.Contains(key, " ") { // a section is named like "iris worker"
			r.tops = append(r.tops, r.entry("", key, keyNode, value))
			return nil
		}
		r.sections = append(r.sections, entry{section: key, keyAt: r.place(keyNode)})
		if _, ok := value.(*ast.NullNode); ok {
			return nil // all of it is commented out
		}
		return r.pairs(value, func(inner string, innerNode, value ast.Node) error {
			r.sections = append(r.sections, r.entry(key, inner, innerNode, value))
			return nil
		})
	})
}

func (r *reader) entry(section, key string, keyNode, value ast.Node) entry {
	e := entry{section: section, key: key, place: r.place(value), keyAt: r.place(keyNode)}
	add := func(prefix string, node ast.Node) {
		text, err := scalarText(node)
		if err != nil && e.err == nil {
			e.err, e.place = err, r.place(node)
		}
		e.texts = append(e.texts, prefix+text)
	}
	switch value := value.(type) {
	case *ast.SequenceNode:
		e.list = true
		for _, item := range value.Values {
			add("", item)
		}
	case ast.MapNode:
		e.list = true
		if err := r.pairs(value.(ast.Node), func(key string, _, node ast.Node) error {
			add(key+"=", node)
			return nil
		}); err != nil {
			e.err = err
		}
	default:
		add("", value)
	}
	return e
}

// scalarText is a value as it is written.
func scalarText(node ast.Node) (string, error) {
	switch node := node.(type) {
	case *ast.NullNode:
		return "", errors.New("there is no value")
	case *ast.StringNode:
		return node.Value, nil
	case *ast.LiteralNode:
		return node.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, nil
	}
	return "", errors.New("this must be a plain value: a text, a number, true or false")
}

// apply gives the flags of a verb what a file says, and judges the keys of all others.
func apply(entries []entry, known known, verb string, flags map[string]*pflag.Flag) (wrong []error) {
	for _, e := range entries {
		if err := check(e, known); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", e.keyAt, err))
			continue
		}
		flag := flags[e.key]
		if flag == nil || e.section != "" && e.section != verb {
			continue
		}
		place := e.place + ": " + e.key
		if _, several := noted(flag).Value.(multiple); e.err == nil && e.list && !several {
			e.err = errors.New("this must be one value")
		}
		if e.err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", place, e.err))
			continue
		}
		wrong = append(wrong, set(flag, place, e.texts)...)
	}
	return wrong
}

func check(e entry, known known) error {
	switch {
	case e.section == "":
		return known.checkTop(e.key)
	case known[e.section] != nil && e.key != "":
		return known.checkSection(e.section, e.key)
	case known[e.section] == nil && e.key == "": // once, and not for each of its keys
		return known.checkTop(e.section)
	}
	return nil
}

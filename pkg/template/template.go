package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	trees  map[string]*parse.Tree
	escape func(string) string
}

// The values are those of encoding/json with UseNumber, JSON for containers that are
// not decoded, and int for constants, lengths and indexes.
type value = any

const main = "template"

// Parse reads text. What the template prints of its data goes through escape,
// its own text does not; nil prints data as it is. Errors name the line.
//
// Escaping is the same wherever a value stands: html.EscapeString makes it safe
// as text and in quoted attributes of HTML, but not in a link, a script or a
// style, where it could be code (ADR 10).
func Parse(text string, escape func(string) string) (*Template, error) {
	names := map[string]any{"and": true, "or": true}
	for name := range functions {
		names[name] = true
	}
	trees, err := parse.Parse(main, text, "", "", names)
	if err != nil {
		return nil, err
	}
	return &Template{trees: trees, escape: escape}, nil
}

// Append appends what the template makes of data, a value as encoding/json
// gives it with UseNumber, or JSON, which may also stand inside. On an error out ends where it happened.
func (t *Template) Append(dst []byte, data any) (out []byte, err error) {
	r := running{Template: t, out: dst}
	err = r.template(main, data)
	return r.out, err
}

// running is one execution.
type running struct {
	*Template
	out   []byte
	vars  []variable // in scope, innermost last
	depth int        // of templates in templates
}

const maxDepth = 100

type variable struct {
	name  string
	value value
}

// errBreak and errContinue travel to the range around them.
var (
	errBreak    = errors.New("break outside range")
	errContinue = errors.New("continue outside range")
)

// template runs a template by name, with variables of its own.
func (r *running) template(name string, data value) error {
	tree := r.trees[name]
	if tree == nil {
		if name == main { // nothing but blanks and comments
			return nil
		}
		return fmt.Errorf("no template is called %q", name)
	}
	if r.depth++; r.depth > maxDepth {
		return errors.New("templates in templates, too deep")
	}
	outer := r.vars
	r.vars = []variable{{"$", data}}
	err := r.node(tree.Root, data)
	r.vars = outer
	r.depth--
	return err
}

func (r *running) node(n parse.Node, dot value) error {
	switch n := n.(type) {
	case *parse.TextNode:
		r.out = append(r.out, n.Text...)
	case *parse.ListNode:
		for _, n := range n.Nodes {
			if err := r.node(n, dot); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return r.action(n.Pipe, dot)
	case *parse.IfNode:
		return r.branch(&n.BranchNode, dot, false)
	case *parse.WithNode:
		return r.branch(&n.BranchNode, dot, true)
	case *parse.RangeNode:
		return r.each(&n.BranchNode, dot)
	case *parse.BreakNode:
		return errBreak
	case *parse.ContinueNode:
		return errContinue
	case *parse.TemplateNode:
		data, err := r.pipe(n.Pipe, dot)
		if err != nil {
			return err
		}
		return r.template(n.Name, data)
	case *parse.CommentNode:
	default:
		return fmt.Errorf("%s is not supported here", n)
	}
	return nil
}

// action prints a pipeline, unless it only sets variables.
func (r *running) action(pipe *parse.PipeNode, dot value) error {
	v, err := r.pipe(pipe, dot)
	if j, ok := v.(JSON); ok && err == nil && len(pipe.Decl) == 0 && r.escape == nil {
		r.out = appendShown(slices.Grow(r.out, len(j)), j, 0)
	} else if err == nil && len(pipe.Decl) == 0 {
		r.print(show(v))
	}
	return err
}

func (r *running) print(text string) {
	if r.escape != nil {
		text = r.escape(text)
	}
	const behind = 64 // so that a line's end does not move a large text
	r.out = append(slices.Grow(r.out, len(text)+behind), text...)
}

// branch runs if and with, which moves the dot.
func (r *running) branch(b *parse.BranchNode, dot value, moves bool) error {
	defer r.leave(len(r.vars))
	v, err := r.pipe(b.Pipe, dot)
	switch {
	case err != nil:
		return err
	case !truth(v):
		return r.otherwise(b, dot)
	case moves:
		dot = v
	}
	return r.node(b.List, dot)
}

func (r *running) otherwise(b *parse.BranchNode, dot value) error {
	if b.ElseList == nil {
		return nil
	}
	return r.node(b.ElseList, dot)
}

// leave ends the scope of variables.
func (r *running) leave(size int) { r.vars = r.vars[:size] }

// each runs range over an array, an object in the order of its keys, or a
// number.
func (r *running) each(b *parse.BranchNode, dot value) error {
	defer r.leave(len(r.vars))
	over, err := r.pipe(b.Pipe, dot)
	if err != nil {
		return err
	}
	if n, ok := integerOf(over); ok {
		over = upTo(n)
	}
	switch over.(type) {
	case string, bool, json.Number:
		return fmt.Errorf("range cannot go over %s", kindOf(over))
	}
	any := false
	for key, v := range members(over) {
		any = true
		switch err := r.turn(b, key, v); {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	if !any {
		return r.otherwise(b, dot)
	}
	return nil
}

// turn is one pass of a range, which may name the element, or index and element.
func (r *running) turn(b *parse.BranchNode, key, v value) error {
	defer r.leave(len(r.vars))
	for i, d := range b.Pipe.Decl {
		what := v
		if i == 0 && len(b.Pipe.Decl) == 2 {
			what = key
		}
		r.set(d.Ident[0], what, b.Pipe.IsAssign)
	}
	return r.node(b.List, v)
}

// pipe is the value of a pipeline; each command gets the one before as its last
// argument.
func (r *running) pipe(p *parse.PipeNode, dot value) (v value, err error) {
	if p == nil {
		return nil, nil
	}
	for i, c := range p.Cmds {
		var piped []value
		if i > 0 {
			piped = []value{v}
		}
		if v, err = r.command(c, dot, piped); err != nil {
			return nil, err
		}
	}
	for _, d := range p.Decl {
		r.set(d.Ident[0], v, p.IsAssign)
	}
	return v, nil
}

func (r *running) set(name string, v value, assign bool) {
	for i := len(r.vars) - 1; assign && i >= 0; i-- {
		if r.vars[i].name == name {
			r.vars[i].value = v
			return
		}
	}
	r.vars = append(r.vars, variable{name, v})
}

func (r *running) command(c *parse.CommandNode, dot value, piped []value) (value, error) {
	first := c.Args[0]
	if f, ok := first.(*parse.IdentifierNode); ok {
		return r.call(f.Ident, c.Args[1:], dot, piped)
	}
	if len(c.Args) > 1 || len(piped) > 0 {
		return nil, fmt.Errorf("%s takes no arguments: it is no function", first)
	}
	return r.arg(first, dot)
}

// call runs a function; and and or stop at the first argument that decides.
func (r *running) call(name string, args []parse.Node, dot value, piped []value) (value, error) {
	decides := name == "or"
	lazy := decides || name == "and"
	values := make([]value, 0, len(args)+1)
	for _, n := range args {
		v, err := r.arg(n, dot)
		if err != nil || lazy && truth(v) == decides {
			return v, err
		}
		values = append(values, v)
	}
	values = append(values, piped...)
	if !lazy {
		v, err := functions[name](values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s: no argument", name)
	}
	return values[len(values)-1], nil
}

// arg is the value of one operand.
func (r *running) arg(n parse.Node, dot value) (value, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.NilNode:
		return nil, nil
	case *parse.BoolNode:
		return n.True, nil
	case *parse.StringNode:
		return n.Text, nil
	case *parse.NumberNode:
		if n.IsInt {
			return int(n.Int64), nil
		}
		return json.Number(n.Text), nil
	case *parse.FieldNode:
		return fields(dot, n.Ident)
	case *parse.VariableNode:
		return r.variable(n)
	case *parse.PipeNode:
		return r.pipe(n, dot)
	case *parse.IdentifierNode:
		return r.call(n.Ident, nil, dot, nil)
	case *parse.ChainNode:
		v, err := r.arg(n.Node, dot)
		if err != nil {
			return nil, err
		}
		return fields(v, n.Field)
	}
	return nil, fmt.Errorf("%s is not supported here", n)
}

func (r *running) variable(n *parse.VariableNode) (value, error) {
	for i := len(r.vars) - 1; i >= 0; i-- {
		if r.vars[i].name == n.Ident[0] {
			return fields(r.vars[i].value, n.Ident[1:])
		}
	}
	return nil, fmt.Errorf("variable %s is not set", n.Ident[0])
}

// fields follows names into objects. What an object lacks is nil; what is no
// object has no fields, and saying so finds typing mistakes.
func fields(v value, names []string) (value, error) {
	for i, name := range names {
		if kindOf(v) != "an object" {
			return nil, fmt.Errorf("%s has no field .%s", kindOf(v), strings.Join(names[i:], "."))
		}
		v = member(v, name)
	}
	return v, nil
}

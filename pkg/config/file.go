package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fhctl/fhctl/pkg/fault"
)

// parseFile reads one YAML document, a mapping, and leaves every value as it is
// written: 010 is 010 and not eight, 1.50 keeps its 0, and a date is no instant.
// So a value means in the file what it means in a flag or a variable. null is no
// value. A second document is an error: its settings would count for nothing.
//
// lines tells where each key stands, in small letters and with those it is within
// before it. Errors hold nothing of what the file holds: it may not be ours.
func parseFile(data []byte) (written map[string]any, lines map[string]int, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil, nil // only comments
	} else if err != nil {
		return nil, nil, notYAML(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, nil, fmt.Errorf("line %d: a second document begins here; a settings file is one", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, notYAML(err)
	}
	root := &document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind != yaml.MappingNode && root.ShortTag() != "!!null" {
		return nil, nil, fmt.Errorf("line %d: it holds no settings by name", root.Line)
	}
	asWritten(&document)
	lines = map[string]int{}
	noteLines(root, "", lines)
	if err := document.Decode(&written); err != nil {
		return nil, nil, notYAML(err)
	}
	return written, lines, nil
}

// noteLines notes the line of each key of a mapping and of those within it.
func noteLines(node *yaml.Node, prefix string, lines map[string]int) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := prefix + strings.ToLower(node.Content[i].Value)
		lines[name] = node.Content[i].Line
		noteLines(node.Content[i+1], name+".", lines)
	}
}

// yamlSays are YAML's errors that quote what the file holds, and what stands for them.
var yamlSays = [][2]string{
	{"unknown anchor", "an alias (*NAME) is of an anchor (&NAME) that is not there"},
	{"contains itself", "a value contains itself"},
	{"already defined", "a key is already defined above"},
	{"excessive aliasing", "it repeats too much by aliases"},
	{"map key", "a key is no text"},
	{"merge", "what << names is no mapping"},
}

// yamlFixed are those that quote nothing of it.
var yamlFixed = regexp.MustCompile(`^(line \d+: )?((did not find|could not find) (the )?expected [^*]*|found [a-z-]+ [a-zA-Z0-9 -]*|mapping values are not allowed in this context|` +
	`block (mapping|sequence) entries are not allowed in this context|control characters are not allowed|exceeded max depth of \d+|exceeded maximum [a-z ]*depth[a-z 0-9]*|invalid [a-zA-Z0-9 -]+)$`)

var yamlLine = regexp.MustCompile(`line \d+: `)

// notYAML is YAML's error without what the file holds.
func notYAML(err error) error {
	said := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	if yamlFixed.MatchString(said) {
		return errors.New(said)
	}
	for _, pair := range yamlSays {
		if strings.Contains(said, pair[0]) {
			return errors.New(yamlLine.FindString(said) + pair[1])
		}
	}
	return errors.New(yamlLine.FindString(said) + "it cannot be read as YAML")
}

// asWritten makes texts of numbers, times and truth values, all the way down.
// Aliases point into the same tree.
func asWritten(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.ShortTag() != "!!null" && node.ShortTag() != "!!binary" {
		node.Tag = "!!str"
	}
	for _, member := range node.Content {
		asWritten(member)
	}
}

// refuseUnknownKeys refuses keys of the file that are no settings.
func (l *loader) refuseUnknownKeys(lines map[string]int) {
	known := func(key string) bool {
		return slices.ContainsFunc(l.settings, func(s Setting) bool { return s.Name == key && !s.noFile })
	}
	var unknown []string
	ours := false
	for _, key := range slices.Sorted(slices.Values(l.file.AllKeys())) {
		top, _, _ := strings.Cut(key, ".")
		switch {
		case known(key):
			ours = true
		case known(top):
			ours = true
			l.refuse(fmt.Sprintf("file %s: line %d: %s holds keys of its own", l.path, lines[top], top), "write one text behind it: "+top+": "+l.sample(top))
		default:
			unknown = append(unknown, key)
		}
	}
	for i, key := range unknown {
		hint := l.keyHint(key)
		// A key that is like none of ours may be a line of a file of secrets.
		name := fmt.Sprintf("line %d: unknown key", lines[key])
		if hint != listHint || ours && keyForm.MatchString(key) {
			name = fmt.Sprintf("unknown key %q", key)
		} else if !ours && len(unknown) > 1 {
			l.refuse(fmt.Sprintf("file %s: none of its %d keys is a setting, the first on line %d", l.path, len(unknown), lines[unknown[i]]), "is it the settings file of fhctl? "+listHint)
			return
		}
		l.refuse(fmt.Sprintf("file %s: %s", l.path, name), hint)
	}
}

// keyForm is what names of settings are made of, and few passwords.
var keyForm = regexp.MustCompile(`^[a-z]+([-_.][a-z]+)*$`)

func (l *loader) keyHint(key string) string {
	if slices.ContainsFunc(l.settings, func(s Setting) bool { return s.Name == key }) {
		return "take it out: it is given as a flag or a variable only"
	}
	inFile := slices.DeleteFunc(slices.Clone(l.settings), func(s Setting) bool { return s.noFile })
	hint := didYouMean(key, inFile, func(s *Setting) string { return s.Name })
	if hint == listHint && didYouMean(key, l.settings, func(s *Setting) string { return s.Name }) != listHint {
		return "a settings file names no other: it is given as a flag or a variable only"
	}
	return hint
}

// sample is what a setting's value looks like.
func (l *loader) sample(name string) string {
	i := slices.IndexFunc(l.settings, func(s Setting) bool { return s.Name == name })
	if s := l.settings[i]; s.Default != "" {
		return fault.Redact(s.Default)
	}
	return "VALUE"
}

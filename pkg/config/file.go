package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// parseFile reads one YAML document, a mapping, and leaves every value as it is
// written: 010 is 010 and not eight, 1.50 keeps its 0, and a date is no instant.
// So a value means in the file what it means in a flag or a variable. null is no
// value. A second document is an error: its settings would count for nothing.
func parseFile(data []byte) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil // only comments
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: a second document begins here; a settings file is one", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	asWritten(&document)
	var written map[string]any
	return written, document.Decode(&written)
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

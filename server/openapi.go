package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// openapiYAML describes the API for programs and people. It is written by
// hand; the tests hold every route, request and answer against it.
//
//go:embed openapi.yaml
var openapiYAML []byte

// yamlToJSON returns a YAML document as JSON, with its keys in their order,
// which a map would not keep.
func yamlToJSON(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := writeNode(&buf, &doc); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, buf.Bytes())
	return compact.Bytes(), err
}

func writeNode(buf *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return writeNode(buf, n.Content[0])
	case yaml.AliasNode:
		return writeNode(buf, n.Alias)
	case yaml.MappingNode:
		return writeNodes(buf, '{', n.Content, '}')
	case yaml.SequenceNode:
		return writeNodes(buf, '[', n.Content, ']')
	}
	var v any = n.Value // a date, too: JSON has none
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		if err := n.Decode(&v); err != nil {
			return err
		}
	case "!!str", "!!timestamp":
	default:
		return fmt.Errorf("line %d: %s is nothing that JSON has", n.Line, n.Tag)
	}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeNodes writes the items of an array, or the keys and values of an object
// in turn.
func writeNodes(buf *bytes.Buffer, opening byte, nodes []*yaml.Node, closing byte) error {
	buf.WriteByte(opening)
	for i, n := range nodes {
		switch {
		case i > 0 && closing == '}' && i%2 == 1:
			buf.WriteByte(':')
		case i > 0:
			buf.WriteByte(',')
		}
		if err := writeNode(buf, n); err != nil {
			return err
		}
	}
	buf.WriteByte(closing)
	return nil
}

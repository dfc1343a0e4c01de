package server

import (
	"bytes"
	_ "embed"
	"encoding/json"

	"github.com/goccy/go-yaml"
)

// openapiYAML describes the API for programs and people. It is written by
// hand; the tests hold every route, request and answer against it.
//
//go:embed openapi.yaml
var openapiYAML []byte

// yamlToJSON returns a YAML document as JSON, with its keys in their order.
func yamlToJSON(text []byte) ([]byte, error) {
	spaced, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, spaced)
	return compact.Bytes(), err
}

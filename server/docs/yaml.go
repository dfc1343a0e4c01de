package docs

import (
	"bytes"
	"encoding/json"

	"github.com/goccy/go-yaml"
)

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

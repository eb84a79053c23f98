package view

import (
	"bytes"
	"encoding/json"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// options: names as in the .proto files; zeros, empty lists and false are written out, what is unset is not.
var options = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// Raw is a message as compact JSON. Protojson itself varies its spaces on purpose; here they are always the same.
func Raw(m proto.Message) (json.RawMessage, error) {
	text, err := options.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, text)
	return out.Bytes(), err
}

// JSON writes a message as an indented document.
func JSON(w io.Writer, m proto.Message) error {
	text, err := Raw(m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

// document writes what is made of several messages, or of none, as an indented document.
func document(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

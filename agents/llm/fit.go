package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ErrMisfit says that an answer is not the JSON that was asked for, the second one
// neither.
var ErrMisfit = errors.New("the answer doesn't fit the schema")

// fits says what is wrong with an answer that should be an object by the schema.
func fits(schema json.RawMessage, a Answer) error {
	if a.Truncated {
		return fmt.Errorf("%w: it was cut off at the most tokens that it may have", ErrMisfit)
	}
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("answer.json", text); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	compiled, err := compiler.Compile("answer.json")
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Text))
	if err != nil {
		return fmt.Errorf("%w: it is not JSON", ErrMisfit)
	}
	var invalid *jsonschema.ValidationError
	if err := compiled.Validate(value); errors.As(err, &invalid) {
		return fmt.Errorf("%w: %s", ErrMisfit, first(invalid))
	} else if err != nil {
		return fmt.Errorf("%w: %w", ErrMisfit, err)
	}
	return nil
}

// first is where and how an answer is wrong, without its words.
func first(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return fmt.Sprintf("at /%s: %s", strings.Join(e.InstanceLocation, "/"), strings.Join(e.ErrorKind.KeywordPath(), "/"))
}

// unfenced is the text of an answer that should be JSON, without the fence and the
// words that some models put around it.
func unfenced(text string) string {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return text
	}
	return text[from : to+1]
}

// maxRepairText bounds what is shown of a wrong answer, in bytes.
const maxRepairText = 20_000

// repaired asks for the same once more, and says what was wrong. Where the answer was
// cut off there is room for twice as much.
func repaired(r Request, wrong Answer, why error) Request {
	text := strings.ToValidUTF8(wrong.Text[:min(len(wrong.Text), maxRepairText)], "")
	if wrong.Truncated {
		r.MaxTokens *= 2
	}
	if text == "" {
		text = "(nothing)"
	}
	r.Messages = append(r.Messages[:len(r.Messages):len(r.Messages)], Message{Assistant, text},
		Message{User, "That is not what was asked for: " + why.Error() + ". Answer again, with the JSON object alone."})
	return r
}

package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// Anthropic asks models by the Messages API, whose answers stream. JSON is asked for by
// a tool that the model has to use.
type Anthropic struct {
	settings Settings
	messages anthropic.MessageService
}

// answerTool is the tool whose input is the answer.
const answerTool = "answer"

// NewAnthropic makes the provider. It reads nothing from the environment.
func NewAnthropic(s Settings) *Anthropic {
	options := []option.RequestOption{option.WithAPIKey(s.Key), option.WithMaxRetries(0), option.WithBaseURL("https://api.anthropic.com/")}
	if s.URL != "" {
		options = append(options, option.WithBaseURL(strings.TrimSuffix(s.URL, "/")+"/"))
	}
	return &Anthropic{s, anthropic.NewMessageService(options...)}
}

// Ask sends a request.
func (a *Anthropic) Ask(ctx context.Context, model, key string, r Request) (answer Answer, err error) {
	params, err := anthropicParams(model, r)
	if err != nil {
		return answer, &Error{Kind: Refused, Text: err.Error()}
	}
	ctx, moved, done := a.settings.watch(ctx)
	defer done()
	stream := a.messages.NewStreaming(ctx, params, option.WithHeader(callHeader, key))
	defer func() { _ = stream.Close() }() // what matters was read, or is lost
	var text strings.Builder
	whole := false
	for stream.Next() {
		moved()
		switch event := stream.Current().AsAny().(type) {
		case anthropic.MessageStartEvent:
			answer.ID, answer.Model = event.Message.ID, event.Message.Model
			answer.Usage.Input = event.Message.Usage.InputTokens + event.Message.Usage.CacheCreationInputTokens + event.Message.Usage.CacheReadInputTokens
		case anthropic.ContentBlockDeltaEvent:
			switch delta := event.Delta.AsAny().(type) {
			case anthropic.TextDelta:
				if len(r.Schema) == 0 {
					text.WriteString(delta.Text)
				}
			case anthropic.InputJSONDelta:
				text.WriteString(delta.PartialJSON)
			}
		case anthropic.MessageDeltaEvent:
			answer.Usage.Output = event.Usage.OutputTokens
			answer.Truncated = event.Delta.StopReason == anthropic.StopReasonMaxTokens
		case anthropic.MessageStopEvent:
			whole = true
		}
	}
	if err := stream.Err(); err != nil || !whole {
		var said *anthropic.Error
		var refused *refusal
		if errors.As(err, &said) && answer.ID == "" && said.Response != nil {
			refused = &refusal{status: said.StatusCode, header: said.Response.Header, text: said.RawJSON()}
			refused.kinds = kindsOf(said.RawJSON())
		}
		return Answer{}, failed(ctx, err, refused)
	}
	if answer.Text = text.String(); len(r.Schema) > 0 && answer.Text == "" {
		answer.Text = "{}" // a tool without input
	}
	return answer, nil
}

func anthropicParams(model string, r Request) (anthropic.MessageNewParams, error) {
	params := anthropic.MessageNewParams{Model: model, MaxTokens: r.MaxTokens}
	if r.System != "" {
		params.System = []anthropic.TextBlockParam{{Text: r.System}}
	}
	for _, m := range r.Messages {
		block := anthropic.NewTextBlock(m.Text)
		if m.Role == Assistant {
			params.Messages = append(params.Messages, anthropic.NewAssistantMessage(block))
		} else {
			params.Messages = append(params.Messages, anthropic.NewUserMessage(block))
		}
	}
	if len(r.Schema) > 0 {
		var schema map[string]any
		if err := json.Unmarshal(r.Schema, &schema); err != nil {
			return params, fmt.Errorf("read the schema: %w", err)
		}
		properties := schema["properties"]
		var required []string
		for _, name := range asList(schema["required"]) {
			required = append(required, fmt.Sprint(name))
		}
		for _, known := range []string{"type", "properties", "required"} {
			delete(schema, known)
		}
		params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: answerTool, Description: anthropic.String("Gives the answer."),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: properties, Required: required, ExtraFields: schema},
		}}}
		params.ToolChoice = anthropic.ToolChoiceParamOfTool(answerTool)
	}
	return params, nil
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// kindsOf are the type and the code of an error, as providers write it.
func kindsOf(text string) (kinds []string) {
	var said struct {
		Error struct {
			Type string `json:"type"`
			Code any    `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(text), &said) != nil {
		return nil
	}
	if said.Error.Type != "" {
		kinds = append(kinds, said.Error.Type)
	}
	if code, is := said.Error.Code.(string); is && code != said.Error.Type {
		kinds = append(kinds, code)
	}
	return kinds
}

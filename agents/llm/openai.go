package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// OpenAI asks models by the Chat Completions API, which OpenAI and many other servers
// speak: Ollama, vLLM, OpenRouter, LM Studio. Answers stream.
type OpenAI struct {
	settings Settings
	chat     openai.ChatCompletionService
}

// Storing is an OpenAI that stores what it answers, and is asked about it.
type Storing struct{ *OpenAI }

// callMetadata is the metadata that names a call where answers are stored.
const callMetadata = "ciclo_call"

// NewOpenAI makes the provider. It reads nothing from the environment.
func NewOpenAI(s Settings) Provider {
	options := []option.RequestOption{option.WithMaxRetries(0), option.WithBaseURL(baseURL(s))}
	if s.Key != "" {
		options = append(options, option.WithAPIKey(s.Key))
	}
	if s.Background {
		return newResponses(s, options...)
	}
	o := &OpenAI{s, openai.NewChatCompletionService(options...)}
	if s.Stored {
		return Storing{o}
	}
	return o
}

// Ask sends a request.
func (o *OpenAI) Ask(ctx context.Context, model, key string, r Request) (answer Answer, err error) {
	params, err := o.params(model, key, r)
	if err != nil {
		return answer, &Error{Kind: Refused, Text: err.Error()}
	}
	ctx, moved, done := o.settings.watch(ctx)
	defer done()
	stream := o.chat.NewStreaming(ctx, params, option.WithHeader(callHeader, key))
	defer func() { _ = stream.Close() }() // what matters was read, or is lost
	var text strings.Builder
	whole := false
	for stream.Next() {
		moved()
		chunk := stream.Current()
		answer.ID, answer.Model = chunk.ID, chunk.Model
		if chunk.Usage.TotalTokens > 0 {
			answer.Usage = Usage{Input: chunk.Usage.PromptTokens, Output: chunk.Usage.CompletionTokens}
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
			if choice.FinishReason != "" {
				whole, answer.Truncated = true, choice.FinishReason == "length"
			}
		}
	}
	if err := stream.Err(); err != nil || !whole {
		var said *openai.Error
		var refused *refusal
		if errors.As(err, &said) && answer.ID == "" && said.Response != nil {
			refused = &refusal{status: said.StatusCode, header: said.Response.Header, kinds: kinds(said.Type, said.Code), text: said.Message}
		}
		return Answer{}, failed(ctx, err, refused)
	}
	answer.Text = text.String()
	return o.object(r, answer), nil
}

// Find looks for the answer to a call among those that were stored.
func (s Storing) Find(ctx context.Context, model, key string) (answer Answer, found bool, err error) {
	ctx, _, done := s.settings.watch(ctx)
	defer done()
	page, err := s.chat.List(ctx, openai.ChatCompletionListParams{Model: openai.String(model), Metadata: shared.Metadata{callMetadata: key}})
	if err != nil {
		var said *openai.Error
		if errors.As(err, &said) {
			return answer, false, fmt.Errorf("the list of stored answers: %d %s", said.StatusCode, strings.Join(kinds(said.Type, said.Code), ", "))
		}
		return answer, false, errors.New("the list of stored answers doesn't come")
	}
	for _, c := range page.Data {
		if len(c.Choices) == 0 {
			continue
		}
		return Answer{
			Text: c.Choices[0].Message.Content, Truncated: c.Choices[0].FinishReason == "length", ID: c.ID, Model: c.Model,
			Usage: Usage{Input: c.Usage.PromptTokens, Output: c.Usage.CompletionTokens},
		}, true, nil
	}
	return answer, false, nil
}

// object takes away what some models put around the JSON that they were asked for.
func (o *OpenAI) object(r Request, answer Answer) Answer {
	if len(r.Schema) > 0 {
		answer.Text = unfenced(answer.Text)
	}
	return answer
}

func (o *OpenAI) params(model, key string, r Request) (openai.ChatCompletionNewParams, error) {
	params := openai.ChatCompletionNewParams{Model: model, StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}
	if o.settings.URL == "" {
		params.MaxCompletionTokens = openai.Int(r.MaxTokens)
	} else { // others know the older name
		params.MaxTokens = openai.Int(r.MaxTokens)
	}
	if r.System != "" {
		params.Messages = append(params.Messages, openai.SystemMessage(r.System))
	}
	for _, m := range r.Messages {
		if m.Role == Assistant {
			params.Messages = append(params.Messages, openai.AssistantMessage(m.Text))
		} else {
			params.Messages = append(params.Messages, openai.UserMessage(m.Text))
		}
	}
	if o.settings.Stored {
		params.Store, params.Metadata = openai.Bool(true), shared.Metadata{callMetadata: key}
	}
	if len(r.Schema) > 0 {
		var schema map[string]any
		if err := json.Unmarshal(r.Schema, &schema); err != nil {
			return params, fmt.Errorf("read the schema: %w", err)
		}
		params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: answerTool, Schema: schema, Strict: openai.Bool(true)},
		}
	}
	return params, nil
}

// kinds are the words that are there.
func kinds(words ...string) (all []string) {
	for _, word := range words {
		if word != "" {
			all = append(all, word)
		}
	}
	return all
}

package orchestrator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/erasure"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// documentPath is where the document of the API lies: OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1), made from the operations and the types
// that their handlers decode and return.
const documentPath = "/openapi.json"

// document and what is in it are OpenAPI's objects; only what is used here.
type (
	document struct {
		OpenAPI    string                              `json:"openapi"`
		Info       documentInfo                        `json:"info"`
		Servers    []documentServer                    `json:"servers"`
		Tags       []documentTag                       `json:"tags"`
		Paths      map[string]map[string]*documentCall `json:"paths"`
		Webhooks   map[string]map[string]*documentCall `json:"webhooks"`
		Components documentComponents                  `json:"components"`
	}
	documentInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	documentServer struct {
		URL string `json:"url"`
	}
	documentTag struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	documentCall struct {
		ID         string                     `json:"operationId"`
		Tags       []string                   `json:"tags"`
		Summary    string                     `json:"summary"`
		Detail     string                     `json:"description,omitempty"`
		Security   []map[string][]string      `json:"security"`
		Parameters []documentParameter        `json:"parameters,omitempty"`
		Body       *documentBody              `json:"requestBody,omitempty"`
		Responses  map[string]*documentAnswer `json:"responses"`
	}
	documentParameter struct {
		Name        string `json:"name"`
		In          string `json:"in"`
		Description string `json:"description,omitempty"`
		Required    bool   `json:"required,omitempty"`
		Schema      any    `json:"schema"`
	}
	documentBody struct {
		Required bool                     `json:"required"`
		Content  map[string]documentMedia `json:"content"`
	}
	documentAnswer struct {
		Description string                    `json:"description"`
		Headers     map[string]documentHeader `json:"headers,omitempty"`
		Content     map[string]documentMedia  `json:"content,omitempty"`
	}
	documentHeader struct {
		Description string `json:"description"`
		Schema      any    `json:"schema"`
	}
	documentMedia struct {
		Schema any `json:"schema"`
	}
	documentComponents struct {
		Schemas  map[string]*jsonschema.Schema `json:"schemas"`
		Security map[string]map[string]string  `json:"securitySchemes"`
	}
)

// parameter is what an operation takes in its query or its header.
type parameter struct {
	name, about string
	schema      *jsonschema.Schema
}

var (
	text                 = &jsonschema.Schema{Type: "string"}
	instant              = &jsonschema.Schema{Type: "string", Format: "date-time"}
	waitQuery            = parameter{"wait", fmt.Sprintf("Answer at the next change, or when so much time has passed: a duration such as 30s, at most %s.", maxWait), text}
	seenHeader           = parameter{"If-None-Match", "The ETag of what is known: the answer is 304 where that is still so.", text}
	lastEventHeader      = parameter{"Last-Event-ID", "The id of the last event seen: the stream goes on after it, without a gap or a repeat.", text}
	idempotencyKeyHeader = parameter{
		"Idempotency-Key", "The same key and request answers with the same execution, so that a request whose answer was lost may be sent again.",
		&jsonschema.Schema{Type: "string", MinLength: new(1), MaxLength: new(maxKey), Pattern: "^[ -~]+$"},
	}
)

// filterParameters are the filters of lists of executions.
func (o *Orchestrator) filterParameters() []parameter {
	names := []any{}
	for _, m := range o.cfg.Catalogue {
		names = append(names, m.Name)
	}
	return append([]parameter{
		{"agent", "Those of one agent.", &jsonschema.Schema{Type: "string", Enum: names}},
		{"status", "Those with one of these statuses.", &jsonschema.Schema{Type: "array", Items: reference("Status")}},
		{"since", "Those accepted then or later.", instant},
		{"until", "Those accepted before.", instant},
		{"cycle", "Those of one cycle.", text},
		{"retry_of", "Those that retry one execution.", text},
	}, pageParameters...)
}

// pageParameters are those of every list that is given in pages.
var pageParameters = []parameter{
	{"limit", "How many a page.", &jsonschema.Schema{Type: "integer", Minimum: new(1.), Maximum: new(float64(maxLimit)), Default: json.RawMessage(strconv.Itoa(defaultLimit))}},
	{"cursor", "The next_cursor of the page before.", text},
}

// cycleStatusSchema and messageStatusSchema are of statuses in a query.
var (
	cycleStatusSchema   = someOf(cycleStatuses)
	messageStatusSchema = someOf(messageStatuses)
)

// someOf is a list of some of these texts.
func someOf(texts []string) *jsonschema.Schema {
	all := []any{}
	for _, s := range texts {
		all = append(all, s)
	}
	return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string", Enum: all}}
}

// schemaNames are the types that the document names; others are written where
// they are used.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[accepted]():                 "Accepted",
	reflect.TypeFor[shown]():                    "Execution",
	reflect.TypeFor[shownBriefly]():             "ExecutionBrief",
	reflect.TypeFor[page]():                     "ExecutionPage",
	reflect.TypeFor[execution.Status]():         "Status",
	reflect.TypeFor[execution.Progress]():       "Progress",
	reflect.TypeFor[execution.Error]():          "Error",
	reflect.TypeFor[execution.Attempt]():        "Attempt",
	reflect.TypeFor[execution.Transition]():     "Transition",
	reflect.TypeFor[postgres.Step]():            "Step",
	reflect.TypeFor[postgres.Effect]():          "Effect",
	reflect.TypeFor[postgres.Change]():          "Change",
	reflect.TypeFor[postgres.Worker]():          "Worker",
	reflect.TypeFor[postgres.Pause]():           "Pause",
	reflect.TypeFor[postgres.Finding]():         "Finding",
	reflect.TypeFor[postgres.DrainLine]():       "DrainLine",
	reflect.TypeFor[agentStatus]():              "AgentStatus",
	reflect.TypeFor[status]():                   "SystemStatus",
	reflect.TypeFor[auditReport]():              "AuditReport",
	reflect.TypeFor[retryRequest]():             "RetryRequest",
	reflect.TypeFor[pauseRequest]():             "PauseRequest",
	reflect.TypeFor[health]():                   "Health",
	reflect.TypeFor[transitions]():              "TransitionList",
	reflect.TypeFor[attempts]():                 "AttemptList",
	reflect.TypeFor[steps]():                    "StepList",
	reflect.TypeFor[effects]():                  "EffectList",
	reflect.TypeFor[calls]():                    "CallList",
	reflect.TypeFor[postgres.LLMCall]():         "Call",
	reflect.TypeFor[postgres.Costs]():           "Costs",
	reflect.TypeFor[postgres.CostDay]():         "CostDay",
	reflect.TypeFor[postgres.CostLost]():        "CostLost",
	reflect.TypeFor[workers]():                  "WorkerList",
	reflect.TypeFor[paused]():                   "PauseList",
	reflect.TypeFor[drainPlan]():                "DrainPlan",
	reflect.TypeFor[draining]():                 "Draining",
	reflect.TypeFor[webhookRequest]():           "WebhookRequest",
	reflect.TypeFor[postgres.Webhook]():         "Webhook",
	reflect.TypeFor[createdWebhook]():           "CreatedWebhook",
	reflect.TypeFor[endedWebhook]():             "EndedWebhook",
	reflect.TypeFor[webhooks]():                 "WebhookList",
	reflect.TypeFor[postgres.WebhookDelivery](): "Delivery",
	reflect.TypeFor[deliveries]():               "DeliveryPage",
	reflect.TypeFor[redelivery]():               "Redelivery",
	reflect.TypeFor[webhookEvent]():             "WebhookEvent",
	reflect.TypeFor[moved]():                    "Moved",
	reflect.TypeFor[scheduleRequest]():          "ScheduleRequest",
	reflect.TypeFor[shownSchedule]():            "Schedule",
	reflect.TypeFor[schedules]():                "ScheduleList",
	reflect.TypeFor[backfillRequest]():          "BackfillRequest",
	reflect.TypeFor[backfilled]():               "Backfilled",
	reflect.TypeFor[postgres.Slot]():            "Slot",
	reflect.TypeFor[slots]():                    "SlotPage",
	reflect.TypeFor[cycleRequest]():             "CycleRequest",
	reflect.TypeFor[postgres.CycleAgent]():      "CycleAgent",
	reflect.TypeFor[shownCycle]():               "Cycle",
	reflect.TypeFor[cycles]():                   "CyclePage",
	reflect.TypeFor[postgres.ValueRun]():        "ValueRun",
	reflect.TypeFor[clientValue]():              "ClientValue",
	reflect.TypeFor[clientValues]():             "ClientValuePage",
	reflect.TypeFor[postgres.PastScore]():       "PastScore",
	reflect.TypeFor[clientHistory]():            "ClientHistory",
	reflect.TypeFor[postgres.SegmentSummary]():  "SegmentSummary",
	reflect.TypeFor[postgres.SegmentMove]():     "SegmentMove",
	reflect.TypeFor[postgres.SampledClient]():   "SampledClient",
	reflect.TypeFor[postgres.Quantile]():        "Quantile",
	reflect.TypeFor[postgres.Bin]():             "Bin",
	reflect.TypeFor[postgres.Distribution]():    "Distribution",
	reflect.TypeFor[postgres.BackTest]():        "BackTest",
	reflect.TypeFor[postgres.ValueSummary]():    "ValueSummary",
	reflect.TypeFor[postgres.SegmentChange]():   "SegmentChange",
	reflect.TypeFor[segmentChanges]():           "SegmentChangePage",
	reflect.TypeFor[eraseRequest]():             "EraseRequest",
	reflect.TypeFor[erasure.Erasure]():          "Erasure",
	reflect.TypeFor[erasure.Rows]():             "ErasedRows",
	reflect.TypeFor[postgres.Message]():         "Message",
	reflect.TypeFor[messages]():                 "MessagePage",
	reflect.TypeFor[approveRequest]():           "ApproveRequest",
	reflect.TypeFor[rejectRequest]():            "RejectRequest",
	reflect.TypeFor[resolveRequest]():           "ResolveRequest",
	reflect.TypeFor[postgres.ContactPolicy]():   "ContactPolicy",
	reflect.TypeFor[policyRequest]():            "ContactPolicyRequest",
	reflect.TypeFor[postgres.MessageTemplate](): "MessageTemplate",
	reflect.TypeFor[messageTemplates]():         "MessageTemplateList",
	reflect.TypeFor[templateRequest]():          "MessageTemplateRequest",
	reflect.TypeFor[postgres.OptOut]():          "OptOut",
	reflect.TypeFor[optOuts]():                  "OptOutPage",
	reflect.TypeFor[optOutRequest]():            "OptOutRequest",
	reflect.TypeFor[optOutWritten]():            "OptOutWritten",
	reflect.TypeFor[postgres.Estimate]():        "Estimate",
	reflect.TypeFor[postgres.PatternCounts]():   "PatternCounts",
	reflect.TypeFor[postgres.Pattern]():         "Pattern",
	reflect.TypeFor[postgres.PatternRun]():      "PatternRun",
	reflect.TypeFor[patterns]():                 "PatternPage",
	reflect.TypeFor[patternHistory]():           "PatternHistory",
	reflect.TypeFor[postgres.PromptProposal]():  "PromptProposal",
	reflect.TypeFor[postgres.PromptChange]():    "PromptChange",
	reflect.TypeFor[postgres.LeftOut]():         "LeftOut",
	reflect.TypeFor[prompts]():                  "PromptPage",
	reflect.TypeFor[promptUse]():                "PromptUse",
	reflect.TypeFor[promptEffect]():             "PromptEffect",
	reflect.TypeFor[ratingRequest]():            "RatingRequest",
	reflect.TypeFor[postgres.Rating]():          "Rating",
	reflect.TypeFor[listedEntity]():             "ListedEntity",
	reflect.TypeFor[entityPage]():               "EntityPage",
	reflect.TypeFor[entityDetail]():             "EntityDetail",
	reflect.TypeFor[graph.Alias]():              "Alias",
	reflect.TypeFor[graph.EntityMerge]():        "EntityMerge",
	reflect.TypeFor[graph.Mention]():            "Mention",
	reflect.TypeFor[mentionPage]():              "MentionPage",
	reflect.TypeFor[graph.Neighbour]():          "Neighbour",
	reflect.TypeFor[graph.Edge]():               "Edge",
	reflect.TypeFor[neighbourhood]():            "Neighbourhood",
	reflect.TypeFor[pathAnswer]():               "Path",
	reflect.TypeFor[graph.Evidence]():           "Evidence",
	reflect.TypeFor[evidencePage]():             "EvidencePage",
	reflect.TypeFor[graph.Count]():              "Count",
	reflect.TypeFor[graph.Summary]():            "GraphSummary",
	reflect.TypeFor[graph.Contact]():            "Contact",
	reflect.TypeFor[graph.ReviewField]():        "ReviewField",
	reflect.TypeFor[graph.ReviewRecord]():       "ReviewRecord",
	reflect.TypeFor[graph.Review]():             "Review",
	reflect.TypeFor[reviewPage]():               "ReviewPage",
	reflect.TypeFor[decideRequest]():            "DecideRequest",
	reflect.TypeFor[mergeRequest]():             "MergeRequest",
	reflect.TypeFor[decided]():                  "Decided",
	reflect.TypeFor[activity]():                 "Activity",
	reflect.TypeFor[postgres.Activity]():        "ActivityPoint",
	reflect.TypeFor[problem]():                  "Problem",
	reflect.TypeFor[agents.FieldError]():        "FieldError",
}

func reference(name string) *jsonschema.Schema {
	return &jsonschema.Schema{Ref: "#/components/schemas/" + name}
}

// schemaOf is a type's schema, with references to those that have names. whole
// writes the type itself out.
func schemaOf(t reflect.Type, whole bool) (*jsonschema.Schema, error) {
	known := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Time]():       instant,
		reflect.TypeFor[json.RawMessage](): {}, // any JSON
	}
	for named, name := range schemaNames {
		if named != t || !whole {
			known[named] = reference(name)
		}
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t, err)
	}
	return plain(s), nil
}

// plain corrects what jsonschema.ForType says: our lists are never null, what may
// be any JSON may be null anyway, and a null beside a reference is an alternative.
func plain(s *jsonschema.Schema) *jsonschema.Schema {
	null := slices.Contains(s.Types, "null")
	switch {
	case null && s.Ref != "":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Ref: s.Ref}, {Type: "null"}}, Description: s.Description}
	case null && len(s.Types) == 1:
		s.Types = nil
	case null && slices.Contains(s.Types, "array"):
		s.Type, s.Types = "array", nil
	}
	for name, property := range s.Properties {
		s.Properties[name] = plain(property)
	}
	if s.Items != nil {
		s.Items = plain(s.Items)
	}
	return s
}

// components are the schemas that have names.
func components() (map[string]*jsonschema.Schema, error) {
	all := map[string]*jsonschema.Schema{}
	for t, name := range schemaNames {
		s, err := schemaOf(t, true)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	statuses := []any{}
	for _, s := range execution.Statuses {
		statuses = append(statuses, s)
	}
	all["Status"].Enum = statuses
	// An acceptance comes from nowhere.
	all["Transition"].Properties["from"] = &jsonschema.Schema{Type: "string", Enum: append(slices.Clone(statuses), ""), Description: "Empty for the acceptance."}
	for _, name := range []string{"ScheduleRequest", "CycleRequest"} {
		for field, b := range scheduleBounds {
			if property := all[name].Properties[field]; property != nil {
				property.Minimum, property.Maximum = new(float64(b.least)), new(float64(b.most))
			}
		}
	}
	rating := all["RatingRequest"].Properties["rating"]
	rating.Minimum, rating.Maximum = new(float64(lowestRating)), new(float64(highestRating))
	all["ScheduleRequest"].Properties["overlap"].Enum, all["ScheduleRequest"].Properties["catch_up"].Enum = overlaps, catchUps
	delete(all["ExecutionBrief"].Properties, "result") // it only hides that of the whole
	all["ExecutionBrief"].PropertyOrder = slices.DeleteFunc(all["ExecutionBrief"].PropertyOrder, func(name string) bool { return name == "result" })
	return all, nil
}

// describe makes the document.
func (o *Orchestrator) describe(sections []section) (*document, error) {
	schemas, err := components()
	if err != nil {
		return nil, err
	}
	d := &document{
		OpenAPI: "3.1.1",
		Info: documentInfo{
			Title: "Ciclo", Version: o.cfg.Version,
			Description: "Autonomous agents as durable executions on Postgres. Run an agent, keep the execution_id of the answer, and poll the execution until its status is completed, failed or cancelled. " +
				"A run's parameters go into the body or into the query, not both. " +
				"What is refused is answered as a problem document (RFC 9457): " + refusals + " The last two pass by themselves.",
		},
		Servers: []documentServer{{"/"}},
		Paths:   map[string]map[string]*documentCall{},
		Components: documentComponents{
			Schemas:  schemas,
			Security: map[string]map[string]string{"token": {"type": "http", "scheme": "bearer", "description": "A token that ciclo token made. Its scopes are read, run, approve and admin."}},
		},
	}
	for _, s := range sections {
		d.Tags = append(d.Tags, documentTag{s.name, s.about})
		for _, op := range s.operations {
			call, err := describeCall(s.name, op)
			if err != nil {
				return nil, err
			}
			if op.id == "run" {
				if err := o.describeRuns(d, op, call); err != nil {
					return nil, err
				}
				continue
			}
			path, names := pathOf(op.path)
			for _, name := range names {
				call.Parameters = append([]documentParameter{{Name: name, In: "path", Required: true, Schema: o.pathSchema(name)}}, call.Parameters...)
			}
			d.add(path, op.method, call)
		}
	}
	d.Webhooks = map[string]map[string]*documentCall{"moved": {"post": {
		ID: "moved", Tags: []string{"webhooks"}, Security: []map[string][]string{},
		Summary: "What a subscribed URL is sent, with the headers webhook-id, webhook-timestamp and webhook-signature. " +
			"An answer of 2xx takes it; after any other it comes again, with the same webhook-id, for three days; 410 ends the webhook. " +
			"Deliveries may arrive out of order, and, rarely, twice.",
		Body:      &documentBody{Required: true, Content: map[string]documentMedia{echo.MIMEApplicationJSON: {reference("WebhookEvent")}}},
		Responses: map[string]*documentAnswer{"2XX": {Description: "Taken."}},
	}}}
	return d, nil
}

func (d *document) add(path, method string, call *documentCall) {
	if d.Paths[path] == nil {
		d.Paths[path] = map[string]*documentCall{}
	}
	d.Paths[path][strings.ToLower(method)] = call
}

// pathSchema is of a part of a path.
func (o *Orchestrator) pathSchema(name string) *jsonschema.Schema {
	if name != "agent" {
		return text
	}
	all := []any{"all"}
	for _, m := range o.cfg.Catalogue {
		all = append(all, m.Name)
	}
	return &jsonschema.Schema{Type: "string", Enum: all}
}

// describeRuns writes the run of each agent by itself, since each has parameters
// of its own.
func (o *Orchestrator) describeRuns(d *document, op operation, call *documentCall) error {
	for _, m := range o.cfg.Catalogue {
		one := *call
		one.ID = op.id + camel(m.Name)
		one.Summary, one.Detail = "Run the "+m.Title+".", m.Description+" "+op.summary
		one.Parameters = slices.Clone(call.Parameters)
		for _, p := range m.ParameterSchemas() {
			one.Parameters = append(one.Parameters, documentParameter{Name: p.Name, In: "query", Description: p.Description, Schema: p.Schema})
		}
		one.Parameters = append(one.Parameters, documentParameter{Name: agents.DryRunParameter, In: "query", Description: dryRunAbout, Schema: dryRunSchema})
		body, err := withDryRun(m.Parameters)
		if err != nil {
			return fmt.Errorf("describe the run of %s: %w", m.Name, err)
		}
		one.Body = &documentBody{Content: map[string]documentMedia{echo.MIMEApplicationJSON: {body}}}
		one.Responses = maps.Clone(call.Responses)
		delete(one.Responses, strconv.Itoa(http.StatusNotFound))
		if !m.SingleFlight {
			delete(one.Responses, strconv.Itoa(http.StatusConflict))
		}
		d.add(strings.Replace(op.path, ":agent", m.Name, 1), op.method, &one)
	}
	return nil
}

const dryRunAbout = "Compute and show, but write and send nothing: what the agent would write is rolled back, its effects are left out and named in the result's dry_run. In the body or in the query, whichever has the parameters."

var dryRunSchema = &jsonschema.Schema{Type: "boolean", Default: json.RawMessage("false")}

// withDryRun is an agent's parameters with the one that every run has.
func withDryRun(parameters json.RawMessage) (json.RawMessage, error) {
	var schema, properties map[string]json.RawMessage
	if err := json.Unmarshal(parameters, &schema); err != nil {
		return nil, err
	}
	if own, has := schema["properties"]; has {
		if err := json.Unmarshal(own, &properties); err != nil {
			return nil, err
		}
	}
	described := *dryRunSchema
	described.Description = dryRunAbout
	one, err := json.Marshal(&described)
	if err != nil {
		return nil, err
	}
	if properties == nil {
		properties = map[string]json.RawMessage{}
	}
	properties[agents.DryRunParameter] = one
	if schema["properties"], err = json.Marshal(properties); err != nil {
		return nil, err
	}
	return json.Marshal(schema)
}

// camel is an agent's name in one word, such as ClientValuePredictor.
func camel(name string) string {
	parts := strings.Split(name, "-")
	for i, part := range parts {
		parts[i] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

func describeCall(tag string, op operation) (*documentCall, error) {
	call := &documentCall{ID: op.id, Tags: []string{tag}, Summary: op.summary, Security: []map[string][]string{}, Responses: map[string]*documentAnswer{}}
	if op.needs != "" {
		call.Security = append(call.Security, map[string][]string{"token": {string(op.needs)}})
	}
	for _, list := range []struct {
		in  string
		all []parameter
	}{{"query", op.query}, {"header", op.headers}} {
		for _, p := range list.all {
			call.Parameters = append(call.Parameters, documentParameter{Name: p.name, In: list.in, Description: p.about, Required: slices.Contains(op.must, p.name), Schema: p.schema})
		}
	}
	if op.body != nil {
		s, err := schemaOf(reflect.TypeOf(op.body), false)
		if err != nil {
			return nil, err
		}
		whole, err := schemaOf(reflect.TypeOf(op.body), true)
		if err != nil {
			return nil, err
		}
		call.Body = &documentBody{Required: len(whole.Required) > 0, Content: map[string]documentMedia{echo.MIMEApplicationJSON: {s}}}
	}
	s, err := schemaOf(op.does.answer, false)
	if err != nil {
		return nil, err
	}
	media := op.does.media
	if media == "" {
		media = echo.MIMEApplicationJSON
	}
	answer := &documentAnswer{Description: http.StatusText(op.does.status), Headers: map[string]documentHeader{}, Content: map[string]documentMedia{media: {s}}}
	for _, other := range op.does.more {
		answer.Content[other] = documentMedia{s}
	}
	for name, about := range op.says {
		answer.Headers[name] = documentHeader{about, text}
	}
	call.Responses[strconv.Itoa(op.does.status)] = answer
	for code, why := range op.does.also {
		call.Responses[strconv.Itoa(code)] = &documentAnswer{Description: why}
	}
	for code, why := range op.refuses {
		call.Responses[strconv.Itoa(code)] = refusal(why)
	}
	call.Responses["default"] = refusal("What is refused: " + refusals)
	return call, nil
}

const refusals = "400 not JSON, 401 no token or a wrong one, 403 not with this token, 413 too large, 422 not allowed (errors says what, field by field), 429 too often, 503 not now."

func refusal(why string) *documentAnswer {
	return &documentAnswer{Description: why, Content: map[string]documentMedia{problemMedia: {reference("Problem")}}}
}

func (o *Orchestrator) getDocument(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, o.document)
}

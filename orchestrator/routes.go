package orchestrator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/metrics"
)

// Prefix is where the API lies.
const Prefix = "/api/autonomous-agents"

// requestTimeout bounds what one request may ask of the database.
const requestTimeout = 10 * time.Second

// operation is one call of the API. The router, the authorisation and the
// document of the API (openapi.go) are made from it.
type operation struct {
	id, method string
	// path is echo's: what the client fills in begins with a colon.
	path  string
	needs Scope // empty: anybody may
	// logged writes the call into the audit log.
	logged bool
	// replica lets a streaming replica answer, where there is one.
	replica bool
	summary string
	// query and headers are what it takes beside its path.
	query, headers []parameter
	// must are those of the query that have to be given.
	must []string
	// body is a value of the type that the body is decoded into; nil where none is read.
	body any
	// says are the headers of its answer.
	says map[string]string
	// refuses says why it answers with statuses that not every operation has.
	refuses map[int]string
	does    handling
}

// handling is what an operation does, and what it answers.
type handling struct {
	handle echo.HandlerFunc
	status int
	answer reflect.Type
	// also are statuses without a body beside that one, and why.
	also map[int]string
	// media is what it answers other than JSON; empty is JSON. more are others that it
	// may answer instead.
	media string
	more  []string
}

// answers is an operation that answers with what the handler returns.
func answers[T any](status int, handle func(echo.Context) (T, error)) handling {
	return handling{status: status, answer: reflect.TypeFor[T](), handle: func(c echo.Context) error {
		answer, err := handle(c)
		if err != nil {
			return err
		}
		return c.JSON(status, answer)
	}}
}

var acceptedHeaders = map[string]string{"Location": "Where to poll the execution.", "Idempotency-Replayed": "true where the key was used before: this is the execution of then."}

// section is a group of operations by who calls them.
type section struct {
	name, about string
	operations  []operation
}

// sections are the whole API.
func (o *Orchestrator) sections() []section {
	noExecution := map[int]string{http.StatusNotFound: "There is no such execution."}
	noWorker := map[int]string{http.StatusNotFound: "There is no such worker."}
	noSchedule := map[int]string{http.StatusNotFound: "There is no such schedule."}
	noCycle := map[int]string{http.StatusNotFound: "There is no such cycle."}
	noProposal := map[int]string{http.StatusNotFound: "There is no such proposal."}
	noScores := map[int]string{http.StatusNotFound: "There is no such complete run, or none yet."}
	noMessage := map[int]string{http.StatusNotFound: "There is no such message.", http.StatusConflict: "It is not where this can be done."}
	noEntity := map[int]string{http.StatusNotFound: "There is no such entity."}
	noWebhook := map[int]string{http.StatusNotFound: "There is no such webhook, or it has ended."}
	return []section{
		{"probes", "Who calls: supervisors and load balancers, without a token.", []operation{
			{id: "getHealth", method: http.MethodGet, path: "/healthz", summary: "Whether the process answers.", does: answers(http.StatusOK, o.healthz)},
			{id: "getReadiness", method: http.MethodGet, path: "/readyz", summary: "Whether the database answers and has this version's schema.", does: answers(http.StatusOK, o.readyz)},
		}},
		{"runs", "Who calls: people, the command line, the firm's own systems.", []operation{
			{
				id: "run", method: http.MethodPost, path: Prefix + "/:agent/run", needs: Run,
				summary: "Accept a run durably and answer at once; the execution is polled by its id.",
				headers: []parameter{idempotencyKeyHeader}, says: acceptedHeaders, does: answers(http.StatusAccepted, o.postRun),
				refuses: map[int]string{http.StatusNotFound: "There is no such agent.", http.StatusConflict: "The agent runs one execution at a time; execution_id is the one in flight."},
			},
			{
				id: "retryExecution", method: http.MethodPost, path: Prefix + "/executions/:id/retry", needs: Run,
				summary: "Run an execution that has ended once more, as a new one.",
				headers: []parameter{idempotencyKeyHeader}, body: retryRequest{}, says: acceptedHeaders, does: answers(http.StatusAccepted, o.postRetry),
				refuses: map[int]string{http.StatusNotFound: "There is no such execution, or its agent is gone.", http.StatusConflict: "It has not ended, the agent runs one at a time, or what was finished is no longer kept."},
			},
			{
				id: "cancelExecution", method: http.MethodPost, path: Prefix + "/executions/:id/cancel", needs: Run, logged: true,
				summary: "Ask for an execution's end; asked again it is the same.",
				does:    answers(http.StatusAccepted, o.cancelExecution),
				refuses: map[int]string{http.StatusNotFound: "There is no such execution.", http.StatusConflict: "It has ended otherwise."},
			},
			{id: "getStatus", method: http.MethodGet, replica: true, path: Prefix + "/status", needs: Read, summary: "How the whole system stands: agents, workers, what is paused, the latest executions.", does: answers(http.StatusOK, o.getStatus)},
		}},
		{"executions", "Who calls: pollers.", []operation{
			{id: "listExecutions", method: http.MethodGet, replica: true, path: Prefix + "/executions", needs: Read, summary: "List executions, newest first, a page at a time.", query: o.filterParameters(), does: answers(http.StatusOK, o.listExecutions)},
			{
				id: "getExecution", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id", needs: Read,
				summary: "Poll an execution: its status, progress, result and history. Retry-After says when it is worth to ask again.",
				query:   []parameter{waitQuery}, headers: []parameter{seenHeader}, refuses: noExecution,
				says: map[string]string{"ETag": "The version of what is shown, for If-None-Match.", "Retry-After": "In how many seconds it is worth to ask again; not of what is final."},
				does: handling{
					handle: o.getExecution, status: http.StatusOK, answer: reflect.TypeFor[shown](),
					also: map[int]string{http.StatusNotModified: "It is still as the ETag says."},
				},
			},
			{
				id: "streamEvents", method: http.MethodGet, path: Prefix + eventsPath, needs: Read,
				summary: "An execution's transitions, finished steps and progress as server-sent events, until it is final. " +
					"The event's name says which of Transition, Step and Progress its data is.",
				headers: []parameter{lastEventHeader}, refuses: noExecution,
				does: handling{
					handle: o.streamEvents, status: http.StatusOK, answer: reflect.TypeFor[string](), media: "text/event-stream",
					also: map[int]string{http.StatusNoContent: "It is final, and all was told."},
				},
			},
			{id: "listAttempts", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id/attempts", needs: Read, summary: "An execution's attempts: by which worker, and how they ended.", refuses: noExecution, does: answers(http.StatusOK, o.listAttempts)},
			{id: "listTransitions", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id/transitions", needs: Read, summary: "An execution's moves, oldest first.", refuses: noExecution, does: answers(http.StatusOK, o.listTransitions)},
			{id: "listSteps", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id/steps", needs: Read, summary: "The steps that an execution has finished.", refuses: noExecution, does: answers(http.StatusOK, o.listSteps)},
			{id: "listEffects", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id/effects", needs: Read, summary: "What an execution did to the outside world.", refuses: noExecution, does: answers(http.StatusOK, o.listEffects)},
			{id: "listCalls", method: http.MethodGet, replica: true, path: Prefix + "/executions/:id/calls", needs: Read, summary: "What an execution asked of language models, without the words: how each call ended, tokens and dollars.", refuses: noExecution, does: answers(http.StatusOK, o.listCalls)},
		}},
		{"operations", "Who calls: operators.", []operation{
			{
				id: "pauseAgent", method: http.MethodPost, path: Prefix + "/:agent/pause", needs: Admin, logged: true,
				summary: "Let nobody run an agent, or all, for now: what runs goes on, what is accepted waits.",
				body:    pauseRequest{}, does: answers(http.StatusOK, o.pauseAgent), refuses: map[int]string{http.StatusNotFound: "There is no such agent."},
			},
			{
				id: "resumeAgent", method: http.MethodPost, path: Prefix + "/:agent/resume", needs: Admin, logged: true,
				summary: "End a pause.", does: answers(http.StatusOK, o.resumeAgent),
				refuses: map[int]string{http.StatusNotFound: "There is no such agent.", http.StatusConflict: "It is not paused."},
			},
			{id: "getAudit", method: http.MethodGet, path: Prefix + "/audit", needs: Read, summary: "Check the invariants of what is stored; 0 violations on a healthy system.", does: answers(http.StatusOK, o.getAudit)},
			{id: "listChanges", method: http.MethodGet, replica: true, path: Prefix + "/changes", needs: Read, summary: "The audit log: every change that was asked for over the API or the dashboard but runs, by whom and how it was answered, newest first, a page at a time.", query: pageParameters, does: answers(http.StatusOK, o.listChanges)},
			{
				id: "getActivity", method: http.MethodGet, replica: true, path: Prefix + "/activity", needs: Read,
				summary: "What executions did by minute, hour or day, and how long they took, without dry runs. It costs the same at any history, and outlives what is pruned.",
				query:   o.activityParameters(), does: answers(http.StatusOK, o.getActivity),
			},
			{id: "getCosts", method: http.MethodGet, replica: true, path: Prefix + "/costs", needs: Read, summary: "What language models took by day and agent, and what was paid for nothing.", query: costParameters, does: answers(http.StatusOK, o.getCosts)},
			{id: "listWorkers", method: http.MethodGet, replica: true, path: Prefix + "/workers", needs: Read, summary: "The worker processes.", does: answers(http.StatusOK, o.listWorkers)},
			{id: "getDrainPlan", method: http.MethodGet, path: Prefix + "/workers/:id/drain-plan", needs: Read, summary: "What stopping a worker now would lose.", refuses: noWorker, does: answers(http.StatusOK, o.getDrainPlan)},
			{id: "drainWorker", method: http.MethodPost, path: Prefix + "/workers/:id/drain", needs: Admin, logged: true, summary: "Ask a worker to stop at its next beat.", refuses: noWorker, does: answers(http.StatusAccepted, o.drainWorker)},
		}},
		{"schedules", "Who calls: who decides when agents run.", []operation{
			{id: "listSchedules", method: http.MethodGet, replica: true, path: Prefix + "/schedules", needs: Read, summary: "The schedules, with their next slots.", does: answers(http.StatusOK, o.listSchedules)},
			{
				id: "createSchedule", method: http.MethodPost, path: Prefix + "/schedules", needs: Admin, logged: true, summary: "Make a schedule.",
				body: scheduleRequest{}, does: answers(http.StatusCreated, o.createSchedule), refuses: map[int]string{http.StatusConflict: "One of the name exists."},
			},
			{id: "getSchedule", method: http.MethodGet, replica: true, path: Prefix + "/schedules/:name", needs: Read, summary: "One schedule.", refuses: noSchedule, does: answers(http.StatusOK, o.getSchedule)},
			{
				id: "changeSchedule", method: http.MethodPatch, path: Prefix + "/schedules/:name", needs: Admin, logged: true,
				summary: "Change what is given of a schedule. Where that is its rule, what comes is decided by the new one from now on.",
				body:    scheduleRequest{}, refuses: noSchedule, does: answers(http.StatusOK, o.changeSchedule),
			},
			{id: "pauseSchedule", method: http.MethodPost, path: Prefix + "/schedules/:name/pause", needs: Admin, logged: true, summary: "Skip the schedule's slots for now.", body: pauseRequest{}, refuses: noSchedule, does: answers(http.StatusOK, o.pauseSchedule)},
			{
				id: "resumeSchedule", method: http.MethodPost, path: Prefix + "/schedules/:name/resume", needs: Admin, logged: true, summary: "End a schedule's pause.",
				refuses: map[int]string{http.StatusNotFound: "There is no such schedule.", http.StatusConflict: "It is not paused."}, does: answers(http.StatusOK, o.resumeSchedule),
			},
			{id: "runSchedule", method: http.MethodPost, path: Prefix + "/schedules/:name/run", needs: Run, logged: true, summary: "Open a cycle of the schedule now.", refuses: noSchedule, does: answers(http.StatusAccepted, o.runSchedule)},
			{
				id: "backfillSchedule", method: http.MethodPost, path: Prefix + "/schedules/:name/backfill", needs: Admin, logged: true,
				summary: "Run the slots of a past window, one after another; those that were run before are not run again. Agents with a due_parameter are given the slot's day.",
				body:    backfillRequest{}, does: answers(http.StatusAccepted, o.backfill),
				refuses: map[int]string{http.StatusNotFound: "There is no such schedule.", http.StatusConflict: "The slots are no longer kept."},
			},
			{id: "listSlots", method: http.MethodGet, replica: true, path: Prefix + "/schedules/:name/slots", needs: Read, summary: "What became of a schedule's slots, newest first, a page at a time.", query: pageParameters, refuses: noSchedule, does: answers(http.StatusOK, o.listSlots)},
		}},
		{"cycles", "Who calls: who wants to know why an agent ran, or did not.", []operation{
			{
				id: "listCycles", method: http.MethodGet, replica: true, path: Prefix + "/cycles", needs: Read, summary: "The cycles, newest first, a page at a time.",
				query: append([]parameter{{"schedule", "Those of one schedule.", text}, {"status", "Those with one of these statuses.", cycleStatusSchema}}, pageParameters...),
				does:  answers(http.StatusOK, o.listCycles),
			},
			{id: "openCycle", method: http.MethodPost, path: Prefix + "/cycles", needs: Run, logged: true, summary: "Open a cycle now.", body: cycleRequest{}, says: map[string]string{"Location": "Where the cycle is polled."}, does: answers(http.StatusAccepted, o.postCycle)},
			{id: "getCycle", method: http.MethodGet, replica: true, path: Prefix + "/cycles/:id", needs: Read, summary: "One cycle, with each agent's decision and its reason.", refuses: noCycle, does: answers(http.StatusOK, o.getCycle)},
			{
				id: "cancelCycle", method: http.MethodPost, path: Prefix + "/cycles/:id/cancel", needs: Run, logged: true, summary: "Cancel a cycle with what runs of it.",
				refuses: map[int]string{http.StatusNotFound: "There is no such cycle.", http.StatusConflict: "It has ended otherwise."}, does: answers(http.StatusAccepted, o.cancelCycle),
			},
		}},
		{"clients", "Who calls: analysts, dashboards, the firm's own systems, for what the Client Value Predictor found. " +
			"Lists show the last complete run, or the one that execution names; while the next one is computed, that stays so. " +
			"Before the first complete run scores are 404, and there are no changes of segment.", []operation{
			{
				id: "listClientValues", method: http.MethodGet, replica: true, path: Prefix + "/clients/values", needs: Read,
				summary: "A run's scores, a page at a time: segment, value, churn risk, with their intervals and the facts behind them. The cursor stays with its run, also when another one completes.",
				query:   append(slices.Clone(valueParameters), pageParameters...), refuses: noScores, does: answers(http.StatusOK, o.listClientValues),
			},
			{
				id: "exportClientValues", method: http.MethodGet, path: Prefix + exportPath, needs: Read,
				summary: "All of a run's scores as CSV: RFC 4180, UTF-8, with a header. A text that a spreadsheet would compute has an apostrophe before it. " +
					"Names are empty where the firm's view did not answer. A browser may give the token as the password.",
				query: valueParameters, refuses: noScores,
				says: map[string]string{"Content-Disposition": "The name of the file.", "X-Ciclo-Execution": "The run."},
				does: handling{handle: o.exportClientValues, status: http.StatusOK, answer: reflect.TypeFor[string](), media: "text/csv"},
			},
			{
				id: "getValueSummary", method: http.MethodGet, path: Prefix + "/clients/values/summary", needs: Read,
				summary: "A run's scores taken together: by segment, how value and churn risk are spread, and what both models would have promised of the last part of history beside what was bought.",
				query:   []parameter{valueParameters[0]}, refuses: noScores, does: answers(http.StatusOK, o.getValueSummary),
			},
			{
				id: "listSegmentChanges", method: http.MethodGet, replica: true, path: Prefix + "/clients/segment-changes", needs: Read,
				summary: "Clients that a complete run put into another segment than the run before it: the newest run first, or with after the oldest first, for whoever wants each change once.",
				query:   changeParameters, does: answers(http.StatusOK, o.listSegmentChanges),
			},
			{
				id: "listClientHistory", method: http.MethodGet, replica: true, path: Prefix + "/clients/:id/values", needs: Read,
				summary: "What each complete run found of one client, the newest first, a page at a time. The id is the firm's own, percent-encoded.",
				query:   pageParameters, refuses: map[int]string{http.StatusNotFound: "No complete run has scored such a client."}, does: answers(http.StatusOK, o.listClientHistory),
			},
			{
				id: "eraseClient", method: http.MethodPost, path: Prefix + "/clients/:id/erase", needs: Admin, logged: true,
				summary: "Erase a person's data everywhere in Ciclo. From the answer on no agent reads anything of the client; ended_at says when all is erased. " +
					"Asked again it says how far it is, and erases what came since. The id is the firm's own, percent-encoded.",
				body: eraseRequest{}, refuses: map[int]string{http.StatusNotFound: "Nothing is of such a client."}, does: answers(http.StatusOK, o.eraseClient),
			},
		}},
		{"messages", "Who calls: who reads what agents drafted for clients and lets it out. Who may be written to, and when, is kept by the database.", []operation{
			{
				id: "listMessages", method: http.MethodGet, replica: true, path: Prefix + "/messages", needs: Read, summary: "The messages and their fate, newest first, a page at a time.",
				query: append([]parameter{
					{"status", "Those with one of these statuses.", messageStatusSchema}, {"client_id", "Those to one client.", text},
				}, pageParameters...),
				does: answers(http.StatusOK, o.listMessages),
			},
			{
				id: "getMessage", method: http.MethodGet, replica: true, path: Prefix + "/messages/:id", needs: Read, summary: "One message.",
				refuses: map[int]string{http.StatusNotFound: "There is no such message."}, does: answers(http.StatusOK, o.getMessage),
			},
			{
				id: "approveMessage", method: http.MethodPost, path: Prefix + "/messages/:id/approve", needs: Approve, logged: true,
				summary: "Let a draft go out, as it is or with another text. It leaves as soon as the contact policy allows.",
				body:    approveRequest{}, refuses: noMessage, does: answers(http.StatusOK, o.approveMessage),
			},
			{
				id: "rejectMessage", method: http.MethodPost, path: Prefix + "/messages/:id/reject", needs: Approve, logged: true,
				summary: "Drop a message that has not begun to leave.", body: rejectRequest{}, refuses: noMessage, does: answers(http.StatusOK, o.rejectMessage),
			},
			{
				id: "resolveMessage", method: http.MethodPost, path: Prefix + "/messages/:id/resolve", needs: Approve, logged: true,
				summary: "Say of a message whose fate is unknown what a person found: nothing else sends it again.",
				body:    resolveRequest{}, refuses: noMessage, does: answers(http.StatusOK, o.resolveMessage),
			},
			{id: "getContactPolicy", method: http.MethodGet, replica: true, path: Prefix + "/messages/policy", needs: Read, summary: "The firm's rules of writing to clients.", does: answers(http.StatusOK, o.getPolicy)},
			{
				id: "changeContactPolicy", method: http.MethodPatch, path: Prefix + "/messages/policy", needs: Admin, logged: true,
				summary: "Change what is given of the rules. Channels are off until they are turned on here.", body: policyRequest{}, does: answers(http.StatusOK, o.changePolicy),
			},
			{id: "listMessageTemplates", method: http.MethodGet, replica: true, path: Prefix + "/messages/templates", needs: Read, summary: "The texts that messages are drafted from.", does: answers(http.StatusOK, o.listTemplates)},
			{
				id: "setMessageTemplate", method: http.MethodPut, path: Prefix + "/messages/templates/:name/:language", needs: Admin, logged: true,
				summary: "Make a text in a language, or replace it.", body: templateRequest{}, does: answers(http.StatusOK, o.setTemplate),
			},
			{id: "listOptOuts", method: http.MethodGet, replica: true, path: Prefix + "/messages/opt-outs", needs: Read, summary: "Who wants to hear no more, newest first, a page at a time.", query: pageParameters, does: answers(http.StatusOK, o.listOptOuts)},
			{
				id: "addOptOut", method: http.MethodPost, path: Prefix + "/messages/opt-outs", needs: Approve, logged: true,
				summary: "Write down that an address or a client wants to hear no more. What waits for them is rejected.", body: optOutRequest{}, does: answers(http.StatusCreated, o.addOptOut),
			},
			{
				id: "endOptOut", method: http.MethodDelete, path: Prefix + "/messages/opt-outs/:id", needs: Admin, logged: true,
				summary: "End an opt-out, since they asked to be written to again.", refuses: map[int]string{http.StatusNotFound: "There is no such opt-out, or it has ended."}, does: answers(http.StatusOK, o.endOptOut),
			},
			{
				id: "receiveTwilio", method: http.MethodPost, path: Prefix + "/messages/inbound/twilio",
				summary: "What a client wrote back, by Twilio's webhook, whose signature is who may call: STOP is an opt-out, START ends it.",
				refuses: map[int]string{http.StatusForbidden: "The signature is not Twilio's.", http.StatusNotFound: "The channel is not set up."},
				does:    handling{handle: o.receiveTwilio, status: http.StatusOK, answer: reflect.TypeFor[string](), media: "text/xml"},
			},
		}},
		{"conversations", "Who calls: analysts, and who collects ratings.", []operation{
			{
				id: "listPatterns", method: http.MethodGet, replica: true, path: Prefix + "/patterns", needs: Read,
				summary: "What won conversations had more often than lost ones, or less often, in one run of the trainer, the strongest first. Association, not cause.",
				query:   patternParameters, refuses: map[int]string{http.StatusNotFound: "There is no such run of the trainer."}, does: answers(http.StatusOK, o.listPatterns),
			},
			{
				id: "getPatternHistory", method: http.MethodGet, replica: true, path: Prefix + "/patterns/history", needs: Read,
				summary: "Whether a pattern persists: the trainer's complete runs, the last one first, and what each found of it.",
				query:   append([]parameter{{"feature", "The feature as patterns show it.", text}}, pageParameters...), must: []string{"feature"}, does: answers(http.StatusOK, o.getPatternHistory),
			},
			{
				id: "listPrompts", method: http.MethodGet, replica: true, path: Prefix + "/prompts", needs: Read,
				summary: "The changes of prompts that the trainer proposed, the newest first, a page at a time.", query: pageParameters, does: answers(http.StatusOK, o.listPrompts),
			},
			{
				id: "getPrompt", method: http.MethodGet, replica: true, path: Prefix + "/prompts/:id", needs: Read,
				summary: "One proposal, with the prompt as it would be, the report and the plot.", refuses: noProposal, does: answers(http.StatusOK, o.getPrompt),
			},
			{
				id: "getPromptEffect", method: http.MethodGet, replica: true, path: Prefix + "/prompts/:id/effect", needs: Read,
				summary: "How conversations ended before and after, by version of the prompt, within channel and segment: an association in time, with its interval and the smallest difference that the numbers would show. Without an interval there is no claim.",
				query: []parameter{
					{"before", "The version before, as conversations name it in agent_version. Default: the one that the proposal changed.", text},
					{"after", "The version after. Default: the one in source.prompts that has the proposed text.", text},
				},
				refuses: noProposal, does: answers(http.StatusOK, o.getPromptEffect),
			},
			{
				id: "rateConversation", method: http.MethodPost, path: Prefix + "/conversations/:id/rating", needs: Run, logged: true,
				summary: "Rate a conversation; the last rating counts.", body: ratingRequest{}, does: answers(http.StatusOK, o.rateConversation),
				refuses: map[int]string{http.StatusNotFound: "There is no such conversation.", http.StatusConflict: "It lies in the firm's own tables, as its rating does."},
			},
		}},
		{"graph", "Who calls: who wants to know who and what conversations are about, and what is said of them. An id of what was merged since is answered with what it is part of now.", []operation{
			{
				id: "listEntities", method: http.MethodGet, replica: true, path: Prefix + "/graph/entities", needs: Read,
				summary: "Who and what conversations are about, a page at a time: by name (q), or the most talked of, the best connected or the last seen first.",
				query:   entityParameters, does: answers(http.StatusOK, o.listEntities),
			},
			{
				id: "getEntity", method: http.MethodGet, replica: true, path: Prefix + "/graph/entities/:id", needs: Read,
				summary: "One entity, with its names and what was merged into it or split from it.", refuses: noEntity, does: answers(http.StatusOK, o.getEntity),
			},
			{
				id: "listMentions", method: http.MethodGet, replica: true, path: Prefix + "/graph/entities/:id/mentions", needs: Read,
				summary: "Where messages name an entity, the last sent first, a page at a time.", query: pageParameters, refuses: noEntity, does: answers(http.StatusOK, o.listMentions),
			},
			{
				id: "getNeighbours", method: http.MethodGet, replica: true, path: Prefix + "/graph/entities/:id/neighbours", needs: Read,
				summary: "What lies around an entity, found breadth first, of each node the strongest edges first, bounded.", query: neighbourParameters, refuses: noEntity, does: answers(http.StatusOK, o.getNeighbours),
			},
			{
				id: "getPath", method: http.MethodGet, replica: true, path: Prefix + "/graph/path", needs: Read,
				summary: "How two entities hang together: a shortest path, of several the one whose edges' confidences have the greatest product, then the first by ids. What would take too long is given up (422, path-gave-up).",
				query:   pathParameters, must: []string{"from", "to"}, refuses: noEntity, does: answers(http.StatusOK, o.getPath),
			},
			{
				id: "listEvidence", method: http.MethodGet, replica: true, path: Prefix + "/graph/edges/:id/evidence", needs: Read,
				summary: "The very words behind an edge, the first sent first, a page at a time.", query: pageParameters,
				refuses: map[int]string{http.StatusNotFound: "There is no such edge."}, does: answers(http.StatusOK, o.listEvidence),
			},
			{id: "getGraphSummary", method: http.MethodGet, path: Prefix + "/graph/summary", needs: Read, summary: "How much the graph holds, by type and relation, and what it was read from.", does: answers(http.StatusOK, o.getGraphSummary)},
			{
				id: "exportGraph", method: http.MethodGet, path: Prefix + graphExportPath, needs: Read,
				summary: "The whole graph as of a time, by ids, of one snapshot: as JSON-LD 1.1 in terms of schema.org, as GraphML, or one table as CSV, in which a text that a spreadsheet would compute has an apostrophe before it. " +
					"Two exports at a time; beyond is 429. One that fails on the way cuts the connection. A browser may give the token as the password.",
				query: graphExportParameters, says: map[string]string{"Content-Disposition": "The name of the file."},
				does: handling{
					handle: o.exportGraph, status: http.StatusOK, answer: reflect.TypeFor[map[string]any](), media: "application/ld+json", more: []string{"application/graphml+xml", "text/csv"},
				},
			},
			{
				id: "listReviews", method: http.MethodGet, replica: true, path: Prefix + "/graph/reviews", needs: Read,
				summary: "Pairs that may be one person or company, with what speaks for and against it in bits, the likeliest first, a page at a time.", query: reviewParameters, does: answers(http.StatusOK, o.listReviews),
			},
			{
				id: "decideReview", method: http.MethodPost, path: Prefix + "/graph/reviews/:id", needs: Approve, logged: true,
				summary: "Say whether both of a pair are one. What a person says stands, whatever is resolved later; both are put together at once.", body: decideRequest{},
				refuses: map[int]string{http.StatusNotFound: "There is no such review.", http.StatusConflict: decidedOtherwise}, does: answers(http.StatusOK, o.postReview),
			},
			{
				id: "mergeEntities", method: http.MethodPost, path: Prefix + "/graph/merges", needs: Approve, logged: true,
				summary: "Say that two people, or two companies, are one.", body: mergeRequest{},
				refuses: map[int]string{http.StatusNotFound: "There is no such entity.", http.StatusConflict: "They are one already, or of types that can't be."}, does: answers(http.StatusOK, o.postMerge),
			},
			{
				id: "undoMerge", method: http.MethodPost, path: Prefix + "/graph/merges/:id/undo", needs: Approve, logged: true,
				summary: "Take a merge back, whoever did it: what came is by itself again, as before, and stays so.",
				refuses: map[int]string{http.StatusNotFound: "There is no such merge.", http.StatusConflict: decidedOtherwise}, does: answers(http.StatusOK, o.undoMerge),
			},
		}},
		{"webhooks", "Who calls: who wants to be told of executions' moves instead of polling. What is sent is under webhooks in openapi.json; it is signed as Standard Webhooks says (standardwebhooks.com).", []operation{
			{
				id: "createWebhook", method: http.MethodPost, path: Prefix + "/webhooks", needs: Admin, logged: true,
				summary: "Subscribe a URL. The answer holds the secret that signs what is sent, this once.",
				body:    webhookRequest{}, says: map[string]string{"Location": "Where the webhook is shown."},
				does: answers(http.StatusCreated, o.createWebhook),
			},
			{id: "listWebhooks", method: http.MethodGet, path: Prefix + "/webhooks", needs: Admin, summary: "The webhooks, and the last hundred that have ended.", does: answers(http.StatusOK, o.listWebhooks)},
			{id: "endWebhook", method: http.MethodDelete, path: Prefix + "/webhooks/:id", needs: Admin, logged: true, summary: "End a webhook: what waits is given up.", refuses: noWebhook, does: answers(http.StatusOK, o.endWebhook)},
			{id: "listDeliveries", method: http.MethodGet, path: Prefix + "/webhooks/:id/deliveries", needs: Admin, summary: "What a webhook was told, or is to be, newest first, a page at a time.", query: pageParameters, refuses: noWebhook, does: answers(http.StatusOK, o.listDeliveries)},
			{id: "redeliver", method: http.MethodPost, path: Prefix + "/webhooks/:id/deliveries/:delivery/retry", needs: Admin, logged: true, summary: "Send a delivery that waits or was given up now.", refuses: map[int]string{http.StatusNotFound: "There is no such delivery, it was made, or the webhook has ended."}, does: answers(http.StatusAccepted, o.redeliver)},
		}},
		{"metrics", "Who calls: Prometheus.", []operation{
			{
				id: "getMetrics", method: http.MethodGet, path: metricsPath, needs: Read,
				summary: "What this process counts, and how the system stands by the database, for Prometheus: as text, or as the Accept header asks.",
				does: handling{
					handle: o.getMetrics(metrics.Handler(o.cfg.Metrics)), status: http.StatusOK, answer: reflect.TypeFor[string](), media: metrics.Media, more: metrics.More(),
				},
			},
		}},
		{"documents", "Who calls: programmers. A browser may give the token as the password.", []operation{
			{
				id: "getDocument", method: http.MethodGet, path: documentPath, needs: Read, summary: "This API in OpenAPI 3.1.",
				does: handling{handle: o.getDocument, status: http.StatusOK, answer: reflect.TypeFor[map[string]any]()},
			},
			{
				id: "getDocs", method: http.MethodGet, path: docsPath, needs: Read, summary: "This API as a page for people.",
				does: handling{handle: o.getDocs, status: http.StatusOK, answer: reflect.TypeFor[string](), media: "text/html"},
			},
		}},
	}
}

func (o *Orchestrator) routes(sections []section) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = o.answerError
	e.Use(guarded, o.meters.measured(sections, o.paged))
	if o.cfg.Traces.On() {
		e.Use(o.traced)
	}
	e.Use(o.recoverPanic, wellFormed, o.bounded, o.authenticate)
	for _, s := range sections {
		for _, op := range s.operations {
			if op.needs == "" {
				o.open[op.path] = true
				e.Add(op.method, op.path, op.does.handle)
				continue
			}
			guards := []echo.MiddlewareFunc{needs(op.needs)}
			if op.replica && o.replica != nil {
				guards = append(guards, o.fromReplica)
			}
			if op.logged {
				guards = append(guards, o.logged)
			}
			e.Add(op.method, op.path, op.does.handle, guards...)
		}
	}
	return e
}

// guarded has browsers take each answer for what it says it is, and keep none that a
// session opened: what may be kept says so.
func guarded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("X-Content-Type-Options", "nosniff")
		if c.Request().Header.Get("Cookie") != "" {
			header.Set("Cache-Control", "no-store")
		}
		return next(c)
	}
}

// wellFormed refuses a query of which a part would be dropped in silence.
func wellFormed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := url.ParseQuery(c.Request().URL.RawQuery); err != nil {
			return invalid(agents.FieldError{Detail: "the query is malformed: " + err.Error()})
		}
		return next(c)
	}
}

const metricsPath = "/metrics"

// eventsPath is of streams, which last as long as their executions.
const eventsPath = executionPath + "/events"

// executionPath is of one execution, which a page of the dashboard leads to.
const executionPath = "/executions/:id"

// streams reports whether the path's answers last as long as there is something to
// send.
func streams(path string) bool {
	return path == Prefix+eventsPath || path == Prefix+exportPath || path == Prefix+graphExportPath
}

// bounded gives each request its time limit, beside what it wants to wait.
func (o *Orchestrator) bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if o.paged[c.Path()] || streams(c.Path()) {
			return next(c) // bounded in its parts
		}
		whole := c.Request()
		limit := requestTimeout
		if whole.URL.RawQuery != "" {
			if wait, ok := waitOf(c.QueryParams()); ok {
				limit += wait
			}
		}
		ctx, cancel := context.WithTimeout(whole.Context(), limit)
		defer cancel()
		c.SetRequest(whole.WithContext(ctx))
		defer c.SetRequest(whole) // the error's answer has time of its own
		return next(c)
	}
}

// recoverPanic turns a panic of a handler into a logged 500.
func (o *Orchestrator) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if v := recover(); v == http.ErrAbortHandler { //nolint:errorlint // it is panicked as it is
				panic(v) //nolint:forbidigo // an answer that is cut off on purpose
			} else if v != nil {
				err = fmt.Errorf("panic in %s %s: %v", c.Request().Method, c.Path(), v)
			}
		}()
		return next(c)
	}
}

// getMetrics answers with the process's metrics.
func (o *Orchestrator) getMetrics(shown http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		shown.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// pathOf is a path as OpenAPI writes it, and the names in it.
func pathOf(path string) (template string, names []string) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			names = append(names, name)
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/"), names
}

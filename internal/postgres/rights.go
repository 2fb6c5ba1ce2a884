package postgres

// The roles of least privilege. deploy/roles.sql makes them; a database without them
// works as before, by its owner alone.
const (
	RoleOrchestrator = "ciclo_orchestrator"
	RoleWorker       = "ciclo_worker"
	// RoleEraser is what the orchestrator becomes for the transactions of an erasure.
	RoleEraser = "ciclo_eraser"
)

// rights are who may do what with one table or view: s, i, u and d are SELECT, INSERT,
// UPDATE and DELETE, each of some columns alone where they follow in brackets. A row
// is locked by those alone who may update a column of it.
type rights struct{ relation, orchestrator, worker, eraser string }

// allRights are of every table and view of schemas ciclo and crm, and of River's: a
// migration that adds one decides here. Schema source may be read by services, schema
// dashboard by ciclo_dashboard; of both the firm may make more.
func allRights() []rights {
	return []rights{
		// What is accepted, and what became of it. Nobody deletes: ciclo.prune_… does.
		{"ciclo.executions", "s i u", "s u", "s u(parameters,progress_text,result,error_text,idempotency_key,request_hash)"},
		{"ciclo.transitions", "s i", "s i", "s u(reason,error_text)"},
		{"ciclo.attempts", "s", "s", "s"},
		{"ciclo.steps", "s i", "s i", "s u(output)"}, // a retry that resumes copies them
		{"ciclo.effects", "s i u", "s i u", "s u(outcome)"},
		{"ciclo.llm_calls", "s u(request,answer)", "s i u", "s u(request,answer,error_text)"},
		{"ciclo.llm_spent", "s u(day) d", "s i u", ""},
		{"ciclo.llm_providers", "s", "s i u", ""},
		{"ciclo.dry_runs", "", "s i", ""},
		{"ciclo.workers", "s u", "s i u", "s"},
		{"ciclo.orchestrators", "s i u d", "", ""},
		{"ciclo.pauses", "s i u d", "s i u d", "s u(reason)"},
		{"ciclo.streaks", "s i u d", "s i u d", ""},
		{"ciclo.notices", "s i u", "s i", "s u(subject,text,error)"},
		{"ciclo.uncounted_moves", "s i u d", "i", "i"},
		{"ciclo.activity", "s i u d", "", ""},
		{"ciclo.activity_durations", "s i u d", "", ""},
		{"ciclo.all_activity", "s", "", ""},
		{"ciclo.all_durations", "s", "", ""},
		{"ciclo.goose_db_version", "s", "s", "s"},
		{"ciclo.compatibility", "s", "s", "s"},
		{"ciclo.incarnation", "s u(system_identifier,database_oid,timeline,noted_at)", "s", ""},

		// Who may do what, and who did.
		{"ciclo.tokens", "s i u", "", ""},
		{"ciclo.sessions", "s i u d", "", ""},
		{"ciclo.audit_log", "s i u(status)", "", ""},
		{"ciclo.webhooks", "s i u", "s(id,agents,statuses,ended_at)", "s(id,agents,statuses,ended_at)"},
		{"ciclo.webhook_deliveries", "s i u", "i", "s u(error)"},

		// When agents run.
		{"ciclo.schedules", "s i u", "s(name,agents,planned)", "s u(description,parameters,paused_reason,broken)"},
		{"ciclo.slots", "s i u", "", "s"},
		{"ciclo.cycles", "s i u", "", "s u(parameters,planner_error,snapshot)"},
		{"ciclo.cycle_agents", "s i u", "", "s u(detail)"},

		// What agents found.
		{"ciclo.client_scores", "s", "s i", "s d"},
		{"ciclo.client_values", "s", "s", "s"},
		{"ciclo.value_models", "s", "s i", "s"},
		{"ciclo.value_payments", "", "s i d", "s d"},
		{"ciclo.segment_changes", "s", "s i", "s d"},
		{"ciclo.patterns", "s", "s i", "s u(examples) d"},
		{"ciclo.prompt_proposals", "s", "s i u", "s u(title,body,lines,left_out,report,plot,reason)"},

		// Messages to clients: the worker drafts and sends, people decide.
		{"ciclo.messages", "s u", "s i u", "s u d"},
		// A reservation that came to nothing is withdrawn; the database keeps the others.
		{"ciclo.contacts", "s d", "s i u d", "s u"},
		{"ciclo.contact_policy", "s u", "s u(singleton)", "s u(singleton)"},
		{"ciclo.message_templates", "s i u", "s", "s"},
		{"ciclo.opt_outs", "s i u", "s", "s i u d"},

		// Erasures.
		{"ciclo.erasures", "s u(horizon,runs,ended_at,patterns,words,conversations)", "s", "s i u"},
		{"ciclo.erasure_key", "s", "s", "s"},

		// The graph: agents read, people decide who is who, which derives it anew.
		{"ciclo.graph_messages", "s", "s i u d", "s d"},
		{"ciclo.mentions", "s", "s i u d", "s d"},
		{"ciclo.record_attributes", "s", "s i u d", "s d"},
		{"ciclo.edge_evidence", "s", "s i u d", "s d"},
		{"ciclo.graph_models", "s", "s i u d", "s d"},
		{"ciclo.graph_records", "s u d", "s i u d", "s u d"},
		{"ciclo.entities", "s i u d", "s i u d", "s u d"},
		{"ciclo.entity_aliases", "s i u d", "s i u d", "s i u d"},
		{"ciclo.edges", "s i u d", "s i u d", "s i u d"},
		{"ciclo.entity_reviews", "s i u", "s i u", "s u d"},
		{"ciclo.entity_merges", "s i", "s i", "s u d"},
		{"ciclo.graph_changed_records", "s i d", "s i d", "s i d"},
		{"ciclo.graph_changed_entities", "s i d", "s i d", "s i d"},
		{"ciclo.graph_revision", "s u", "s u", "s u"},

		// River: the queue is its clients'. One that was erased is looked for here too.
		{"ciclo.river_job", "s i u d", "s i u d", "s u(args,errors,metadata)"},
		{"ciclo.river_queue", "s i u d", "s i u d", ""},
		{"ciclo.river_leader", "s i u d", "s i u d", ""},
		{"ciclo.river_notification", "s i d", "s i d", ""},
		{"ciclo.river_migration", "s", "s", "s"},

		// The firm's data, which imports bring as the owner. Agents read the views of
		// schema source, which read these as their own owner.
		{"crm.clients", "s", "", "s u"},
		{"crm.practice_types", "", "", "s"},
		{"crm.practices", "", "", "s d"},
		{"crm.imports", "", "", "s u(file)"},
		{"crm.payments", "", "", "s d"},
		{"crm.interactions", "", "", "s d"},
		{"crm.conversations", "s", "", "s u(segment)"},
		{"crm.messages", "", "", "s d"},
		{"crm.ratings", "s i u d", "", "s d"}, // a trigger deletes those of the erased
		{"crm.prompts", "", "", "s"},
		{"crm.rates", "", "", "s"},
		{"crm.names", "", "", "s d"},
	}
}

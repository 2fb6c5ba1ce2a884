package erasure

// What becomes of a column's data of a client.
const (
	// Deleted: the rows that are about the client go.
	Deleted = "deleted"
	// Emptied: the rows stay, without this.
	Emptied = "emptied"
	// Searched: texts for people and machines, in which the name and the addresses are
	// replaced, and of JSON the objects that are about the client go.
	Searched = "searched"
	// Stays: it says nothing of a person, or has to stay.
	Stays = "stays"
)

// Decision is what becomes of columns of one table.
type Decision struct {
	Table string
	// Columns are separated by blanks.
	Columns, What, Why string
}

// Decisions are of every column of schemas ciclo and crm that can hold a text: a
// migration that adds one decides here, and in docs/erasure.md.
var Decisions = []Decision{
	{"ciclo.activity", "grain agent from_status to_status", Stays, "counts of moves"},
	{"ciclo.activity_durations", "grain agent status", Stays, "counts of executions"},
	{"ciclo.audit_log", "token method path", Stays, "who changed what; a path holds the client's id, the pseudonym"},
	{"ciclo.client_scores", "execution_id client_id segment previous_segment", Deleted, ""},
	{"ciclo.contact_policy", "channels auto_templates zone region firm changed_by", Stays, "the firm's rules"},
	{"ciclo.contacts", "address", Emptied, "with its place in the address's chain"},
	{"ciclo.contacts", "message_id client_id firm_zone zone", Stays, "that a message was sent, when, and the day's number; the zone is that of the quiet hours"},
	{"ciclo.cycle_agents", "detail", Searched, ""},
	{"ciclo.cycle_agents", "cycle_id agent decision reason needs execution_id", Stays, "the plan"},
	{"ciclo.cycles", "parameters planner_error snapshot", Searched, ""},
	{"ciclo.cycles", "id schedule opened_by requested_by planner status", Stays, "the plan"},
	{"ciclo.dry_runs", "execution_id", Stays, "always empty"},
	{"ciclo.edge_evidence", "message_id subject_id relation object_id quote extractor version", Deleted, "of the client's messages; in others' where it is about the client or its words hold the client's name"},
	{"ciclo.edges", "id subject_id relation object_id", Deleted, "those that rested on this evidence alone, history too"},
	{"ciclo.effects", "outcome", Searched, "a provider's id of the message stays"},
	{"ciclo.effects", "execution_id name key policy state", Stays, "that something was done, once"},
	{"ciclo.entities", "id type name client_ids", Deleted, "those that nothing else speaks of; others lose the client's id and names"},
	{"ciclo.entity_aliases", "entity_id alias folded trigrams words", Deleted, "those that came of the client alone"},
	{"ciclo.entity_merges", "kind from_id to_id records execution_id decided_by", Deleted, "as far as they are about the client's records"},
	{"ciclo.entity_merges", "fields", Searched, ""},
	{"ciclo.entity_reviews", "id record_a record_b status decided_by", Deleted, "those of the client's records"},
	{"ciclo.entity_reviews", "fields", Searched, ""},
	{"ciclo.erasure_key", "key", Stays, "the key of the addresses' hashes"},
	{"ciclo.erasures", "patterns words conversations", Emptied, "when the erasure is over: until then it is looked for"},
	{"ciclo.erasures", "client_id erased_by rows firm runs", Stays, "that the client was erased: it keeps agents from reading the client again"},
	{"ciclo.executions", "parameters progress_text result error_text", Searched, ""},
	{"ciclo.executions", "idempotency_key request_hash", Emptied, "where the key holds a name or an address"},
	{"ciclo.executions", "id agent status error_class origin requested_by retry_of cycle_id traceparent", Stays, "that it ran, and how it ended"},
	{"ciclo.graph_changed_entities", "entity_id", Deleted, "what is to be derived anew: a hash of names"},
	{"ciclo.graph_changed_records", "record_id", Deleted, "what is to be derived anew: a hash of names"},
	{"ciclo.graph_messages", "id conversation_id client_id body_hash versions said execution_id", Deleted, "those of the client; what a model said of others' has places and no words"},
	{"ciclo.graph_models", "name version model", Deleted, "models that show a word of the name or a mail address: the next run trains others, which find other names than the old ones did, also in others' messages"},
	{"ciclo.graph_records", "id type scope key name client_id entity_id", Deleted, "the client's own, of a person also those in others' conversations, and those that nothing else mentions"},
	{"ciclo.llm_calls", "request answer", Emptied, "of calls about the client"},
	{"ciclo.llm_calls", "error_text", Stays, "the provider's own words for the error, without what was asked"},
	{"ciclo.llm_calls", "execution_id step hash agent cycle_id provider model state provider_id client_ids", Stays, "that it was asked, and what that cost; client_ids are pseudonyms"},
	{"ciclo.llm_providers", "name error_text probing_execution", Stays, "a provider's state"},
	{"ciclo.llm_spent", "scope key", Stays, "sums"},
	{"ciclo.mentions", "message_id surface type record_id extractor version", Deleted, "in the client's messages, and of the client in others'"},
	{"ciclo.message_templates", "name language subject body changed_by", Stays, "the firm's texts for everybody"},
	{"ciclo.messages", "address subject body variables reasons reason", Emptied, "a message that never left is deleted as a whole"},
	{"ciclo.messages", "id client_id drafted_by template language channel zone status approved_by execution_id provider_id", Stays, "that a message was sent, when and by which channel"},
	{"ciclo.notices", "subject text error", Searched, ""},
	{"ciclo.notices", "kind agent execution_id told", Stays, "what the operator was told of"},
	{"ciclo.opt_outs", "address detail", Emptied, "the address's hash takes its place"},
	{"ciclo.opt_outs", "address_hash client_id source ended_by", Stays, "who was erased must not be written to again, whatever is imported"},
	{"ciclo.patterns", "execution_id kind feature same_as", Deleted, "a feature that is the client's name; counts of many conversations stay, they show nobody"},
	{"ciclo.patterns", "examples", Emptied, "of the client's conversations"},
	{"ciclo.orchestrators", "host version", Stays, "the processes"},
	{"ciclo.pauses", "reason", Searched, ""},
	{"ciclo.pauses", "agent kind probe_id", Stays, "what is paused"},
	{"ciclo.prompt_proposals", "title body lines left_out report plot reason", Searched, "ids of conversations among examples stay: they lead to empty ones"},
	{"ciclo.prompt_proposals", "id execution_id prompt base_version path base_commit base_hash patterns_hash status branch commit url", Stays, "hashes, and names of the repository"},
	{"ciclo.record_attributes", "message_id record_id kind value extractor version", Deleted, "also the client's addresses in others' messages"},
	{"ciclo.river_job", "args errors metadata", Searched, ""},
	{"ciclo.river_job", "state attempted_by kind queue tags unique_key", Stays, "the queue's own"},
	{"ciclo.river_leader", "leader_id name", Stays, "the queue's own"},
	{"ciclo.river_migration", "line", Stays, "the queue's own"},
	{"ciclo.river_notification", "payload topic", Stays, "the queue's own"},
	{"ciclo.river_queue", "name metadata", Stays, "the queue's own"},
	{"ciclo.schedules", "description parameters paused_reason broken", Searched, ""},
	{"ciclo.schedules", "name agents cron zone overlap catch_up created_by", Stays, "the firm's rules"},
	{"ciclo.segment_changes", "execution_id previous_execution_id client_id from_segment to_segment", Deleted, ""},
	{"ciclo.sessions", "secret_hash token_hash", Stays, "who is signed in to the dashboard"},
	{"ciclo.slots", "schedule outcome reason cycle_id opened_by", Stays, "the plan"},
	{"ciclo.steps", "output", Searched, "those of the sending of the client's messages are emptied"},
	{"ciclo.steps", "execution_id name copied_from", Stays, "that it was done"},
	{"ciclo.streaks", "agent error_class", Stays, "the breaker's"},
	{"ciclo.tokens", "name hash scopes", Stays, "who may do what"},
	{"ciclo.transitions", "reason error_text", Searched, "append-only but for this"},
	{"ciclo.transitions", "execution_id from_status to_status outcome error_class", Stays, "that it ran"},
	{"ciclo.uncounted_moves", "agent from_status to_status", Stays, "moves that aren't counted yet"},
	{"ciclo.value_models", "execution_id model fit reason", Stays, "a few parameters of all clients' purchases: no client can be told from them, and taking one out would change what was promised"},
	{"ciclo.value_payments", "execution_id payments", Deleted, "of executions that have ended; those that run lose theirs with their end"},
	{"ciclo.webhook_deliveries", "error", Searched, "what is sent is made when it is sent, of what is there then"},
	{"ciclo.webhooks", "url description agents statuses secret created_by ended_reason", Stays, "where the firm is told"},
	{"ciclo.workers", "host version concurrency", Stays, "the processes"},
	{"crm.clients", "name email phone whatsapp language status tags", Emptied, "consent too; what an import brings again goes again"},
	{"crm.clients", "id", Stays, "the pseudonym that payments hang on"},
	{"crm.conversations", "segment", Emptied, ""},
	{"crm.conversations", "id client_id agent_version channel outcome", Stays, "a conversation without a word in it: it counts for the effect of prompts, and shows whose messages must not be read"},
	{"crm.imports", "file", Searched, ""},
	{"crm.imports", "kind sha256", Stays, "which files were taken in"},
	{"crm.interactions", "client_id channel direction kind reference", Deleted, ""},
	{"crm.messages", "id conversation_id role body", Deleted, ""},
	{"crm.names", "type id name", Deleted, "persons of the client's id or name"},
	{"crm.payments", "client_id practice_id currency reference", Stays, "an accounting record of a number; deleted by --payments"},
	{"crm.practice_types", "id name", Stays, "the firm's list"},
	{"crm.practices", "id client_id practice_type_id currency", Stays, "what the payments are for; deleted by --payments"},
	{"crm.prompts", "name version body", Stays, "the firm's texts for everybody"},
	{"crm.rates", "currency into", Stays, "nobody's"},
	{"crm.ratings", "conversation_id", Deleted, ""},
}

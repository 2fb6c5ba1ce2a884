package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Entity is who or what conversations are about. See the API for the fields.
type Entity struct {
	ID            string     `json:"entity_id"`
	Type          string     `json:"type"`
	Name          string     `json:"name"`
	ClientIDs     []string   `json:"client_ids"`
	Mentions      int        `json:"mentions"`
	Conversations int        `json:"conversations"`
	Degree        int        `json:"degree"`
	FirstAt       *time.Time `json:"first_at"`
	LastAt        *time.Time `json:"last_at"`
	CreatedAt     time.Time  `json:"created_at"`
	ExpiredAt     *time.Time `json:"expired_at"`
}

// ListedEntity is an entity in a list, with the name by which a search found it and
// how well that fits; both are nil where nothing was searched.
type ListedEntity struct {
	Entity
	Alias *string  `json:"alias"`
	Score *float64 `json:"score"`
}

// EntityPage is one page of entities; NextCursor is nil on the last one.
type EntityPage struct {
	Entities   []ListedEntity `json:"entities"`
	NextCursor *string        `json:"next_cursor"`
}

// Alias is a name of an entity as it is written.
type Alias struct {
	Alias    string `json:"alias"`
	Mentions int    `json:"mentions"`
}

// EntityMerge is what became of entities: records that came from one to another.
type EntityMerge struct {
	ID          int64         `json:"merge_id"`
	Kind        string        `json:"kind"`
	FromID      string        `json:"from_id"`
	FromName    *string       `json:"from_name"`
	ToID        string        `json:"to_id"`
	ToName      *string       `json:"to_name"`
	Records     []string      `json:"records"`
	Probability *float64      `json:"probability"`
	Fields      []ReviewField `json:"fields"`
	ExecutionID *string       `json:"execution_id"`
	DecidedBy   *string       `json:"decided_by"`
	MergedAt    time.Time     `json:"merged_at"`
}

// EntityDetail is an entity with its names and its history. MergedFrom is the id
// that was asked for, where that is part of this entity now.
type EntityDetail struct {
	Entity
	MergedFrom *string       `json:"merged_from"`
	Aliases    []Alias       `json:"aliases"`
	Contacts   []Contact     `json:"contacts"`
	Merges     []EntityMerge `json:"merges"`
}

// Mention is a place in a message that names an entity: characters from 0, the end
// excluded.
type Mention struct {
	MessageID      string    `json:"message_id"`
	ConversationID string    `json:"conversation_id"`
	SentAt         time.Time `json:"sent_at"`
	Start          int       `json:"start"`
	End            int       `json:"end"`
	Surface        string    `json:"surface"`
	RecordID       string    `json:"record_id"`
	Extractor      string    `json:"extractor"`
	Version        string    `json:"version"`
	Confidence     float64   `json:"confidence"`
}

// MentionPage is one page of an entity's mentions; NextCursor is nil on the last one.
type MentionPage struct {
	EntityID   string    `json:"entity_id"`
	MergedFrom *string   `json:"merged_from"`
	Mentions   []Mention `json:"mentions"`
	NextCursor *string   `json:"next_cursor"`
}

// Node is an entity as an edge's end.
type Node struct {
	ID     string `json:"entity_id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Degree int    `json:"degree"`
}

// Neighbour is a node so many edges away.
type Neighbour struct {
	Node
	Depth int `json:"depth"`
}

// Edge is a relation of two entities while it held.
type Edge struct {
	ID            string     `json:"edge_id"`
	SubjectID     string     `json:"subject_id"`
	Relation      string     `json:"relation"`
	ObjectID      string     `json:"object_id"`
	ValidAt       time.Time  `json:"valid_at"`
	InvalidAt     *time.Time `json:"invalid_at"`
	ExpiredAt     *time.Time `json:"expired_at"`
	Confidence    float64    `json:"confidence"`
	Evidence      int        `json:"evidence"`
	Conversations int        `json:"conversations"`
}

// Neighbourhood is what lies around an entity. Truncated says that there is more.
type Neighbourhood struct {
	Entity     Entity      `json:"entity"`
	MergedFrom *string     `json:"merged_from"`
	AsOf       time.Time   `json:"as_of"`
	Nodes      []Neighbour `json:"nodes"`
	Edges      []Edge      `json:"edges"`
	Truncated  bool        `json:"truncated"`
}

// GraphPath is how two entities hang together; Length is nil where no path was found.
type GraphPath struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	AsOf   time.Time `json:"as_of"`
	Found  bool      `json:"found"`
	Length *int      `json:"length"`
	Nodes  []Node    `json:"nodes"`
	Edges  []Edge    `json:"edges"`
}

// Evidence is where a message says that an edge's relation holds. Role says who
// wrote it, Before and After what it says around the quote; they are nil where the
// firm has the message no more as it was read.
type Evidence struct {
	Quote          string    `json:"quote"`
	MessageID      string    `json:"message_id"`
	ConversationID string    `json:"conversation_id"`
	SentAt         time.Time `json:"sent_at"`
	Start          int       `json:"start"`
	End            int       `json:"end"`
	Extractor      string    `json:"extractor"`
	Version        string    `json:"version"`
	Confidence     float64   `json:"confidence"`
	SubjectRecord  string    `json:"subject_record"`
	ObjectRecord   string    `json:"object_record"`
	Role           *string   `json:"role"`
	Before         *string   `json:"before"`
	After          *string   `json:"after"`
}

// EvidencePage is one page of the words behind an edge; NextCursor is nil on the last one.
type EvidencePage struct {
	Edge       Edge       `json:"edge"`
	Subject    Node       `json:"subject"`
	Object     Node       `json:"object"`
	Evidence   []Evidence `json:"evidence"`
	NextCursor *string    `json:"next_cursor"`
}

// GraphCount is how many there are of a kind.
type GraphCount struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// GraphSummary is how much the graph holds.
type GraphSummary struct {
	Entities    int64        `json:"entities"`
	Types       []GraphCount `json:"types"`
	Edges       int64        `json:"edges"`
	Relations   []GraphCount `json:"relations"`
	OpenReviews int64        `json:"open_reviews"`
	Messages    int64        `json:"messages"`
	LastReadAt  *time.Time   `json:"last_read_at"`
	ExecutionID *string      `json:"execution_id"`
}

// ReviewField is one comparison of a pair: its level, and what it weighs in bits
// for a match, or against it.
type ReviewField struct {
	Name  string  `json:"name"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits"`
}

// Contact is how somebody or something is reached.
type Contact struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// ReviewRecord is one of the two that a review is about.
type ReviewRecord struct {
	RecordID   string    `json:"record_id"`
	Name       string    `json:"name"`
	Scope      string    `json:"scope"`
	ClientID   *string   `json:"client_id"`
	EntityID   *string   `json:"entity_id"`
	EntityName *string   `json:"entity_name"`
	Contacts   []Contact `json:"contacts"`
}

// Review is a pair of records that may be one.
type Review struct {
	ID          string        `json:"review_id"`
	Type        string        `json:"type"`
	Status      string        `json:"status"`
	Probability *float64      `json:"probability"`
	Fields      []ReviewField `json:"fields"`
	A           ReviewRecord  `json:"a"`
	B           ReviewRecord  `json:"b"`
	CreatedAt   time.Time     `json:"created_at"`
	DecidedAt   *time.Time    `json:"decided_at"`
	DecidedBy   *string       `json:"decided_by"`
}

// ReviewPage is one page of reviews; NextCursor is nil on the last one.
type ReviewPage struct {
	Reviews    []Review `json:"reviews"`
	NextCursor *string  `json:"next_cursor"`
}

// Entities returns a page of entities. The query is the API's: q, type, sort,
// cursor, limit.
func (c *Client) Entities(ctx context.Context, query url.Values) (EntityPage, error) {
	return answer[EntityPage](ctx, c, http.MethodGet, "/graph/entities", query, nil)
}

// Entity returns an entity with its names and its history.
func (c *Client) Entity(ctx context.Context, id string) (EntityDetail, error) {
	return answer[EntityDetail](ctx, c, http.MethodGet, "/graph/entities/"+url.PathEscape(id), nil, nil)
}

// Mentions returns a page of an entity's mentions, the last sent first. The query
// is the API's: cursor, limit.
func (c *Client) Mentions(ctx context.Context, entity string, query url.Values) (MentionPage, error) {
	return answer[MentionPage](ctx, c, http.MethodGet, "/graph/entities/"+url.PathEscape(entity)+"/mentions", query, nil)
}

// Neighbours returns what lies around an entity. The query is the API's: depth,
// relation, type, as_of, min_confidence, per_node, limit.
func (c *Client) Neighbours(ctx context.Context, entity string, query url.Values) (Neighbourhood, error) {
	return answer[Neighbourhood](ctx, c, http.MethodGet, "/graph/entities/"+url.PathEscape(entity)+"/neighbours", query, nil)
}

// Path returns a shortest path. The query is the API's: from, to, as_of, max_length.
func (c *Client) Path(ctx context.Context, query url.Values) (GraphPath, error) {
	return answer[GraphPath](ctx, c, http.MethodGet, "/graph/path", query, nil)
}

// Evidence returns a page of the words behind an edge, the first sent first. The
// query is the API's: cursor, limit.
func (c *Client) Evidence(ctx context.Context, edge string, query url.Values) (EvidencePage, error) {
	return answer[EvidencePage](ctx, c, http.MethodGet, "/graph/edges/"+url.PathEscape(edge)+"/evidence", query, nil)
}

// GraphSummary returns how much the graph holds.
func (c *Client) GraphSummary(ctx context.Context) (GraphSummary, error) {
	return answer[GraphSummary](ctx, c, http.MethodGet, "/graph/summary", nil, nil)
}

// Reviews returns a page of reviews, the likeliest first. The query is the API's:
// status, cursor, limit.
func (c *Client) Reviews(ctx context.Context, query url.Values) (ReviewPage, error) {
	return answer[ReviewPage](ctx, c, http.MethodGet, "/graph/reviews", query, nil)
}

// ExportGraph writes the whole graph into w, as the API sends it. The query is the
// API's: format, part, as_of. What was cut off is an error, whatever has been
// written.
func (c *Client) ExportGraph(ctx context.Context, query url.Values, w io.Writer) error {
	return c.download(ctx, "/graph/export", query, w)
}

// Decided says what a decision led to: what the records are part of now.
type Decided struct {
	EntityIDs []string `json:"entity_ids"`
}

// DecideReview says whether both of a pair are one.
func (c *Client) DecideReview(ctx context.Context, id string, same bool) (Decided, error) {
	return answer[Decided](ctx, c, http.MethodPost, "/graph/reviews/"+url.PathEscape(id), nil, map[string]bool{"same": same})
}

// MergeEntities says that two entities are one.
func (c *Client) MergeEntities(ctx context.Context, one, other string) (Decided, error) {
	return answer[Decided](ctx, c, http.MethodPost, "/graph/merges", nil, map[string][]string{"entities": {one, other}})
}

// UndoMerge takes a merge back.
func (c *Client) UndoMerge(ctx context.Context, id int64) (Decided, error) {
	return answer[Decided](ctx, c, http.MethodPost, "/graph/merges/"+strconv.FormatInt(id, 10)+"/undo", nil, nil)
}

package orchestrator

import (
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/channel"
	"github.com/nuzantara/ciclo/internal/phone"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/schedule"
)

// policyRequest is what is to change of the rules; what is left out stays.
type policyRequest struct {
	Channels      *[]string `json:"channels,omitempty" jsonschema:"The channels that are on, of whatsapp and email."`
	AutoTemplates *[]string `json:"auto_templates,omitempty" jsonschema:"The templates whose messages need no approval."`
	CooldownHours *float64  `json:"cooldown_hours,omitempty" jsonschema:"0 to 8760."`
	DailyCap      *int      `json:"daily_cap,omitempty" jsonschema:"0 to 10000."`
	QuietFrom     *string   `json:"quiet_from,omitempty" jsonschema:"Such as 20:00."`
	QuietUntil    *string   `json:"quiet_until,omitempty" jsonschema:"Such as 08:00; as quiet_from: never."`
	Zone          *string   `json:"zone,omitempty" jsonschema:"Such as Asia/Makassar."`
	Region        *string   `json:"region,omitempty" jsonschema:"Such as ID; empty for none."`
	Firm          *string   `json:"firm,omitempty" jsonschema:"At most 100 characters on one line."`
}

// templateRequest is a text in one language.
type templateRequest struct {
	Subject string `json:"subject"`
	Body    string `json:"body" jsonschema:"{name|there} is the client's name, or there where it isn't known; {firm} is the firm's."`
}

type messageTemplates struct {
	Templates []postgres.MessageTemplate `json:"templates"`
}

// optOutRequest names who wants to hear no more: an address, a client or both.
type optOutRequest struct {
	Address  string `json:"address,omitempty" jsonschema:"A phone number or a mail address."`
	ClientID string `json:"client_id,omitempty"`
	Detail   string `json:"detail,omitempty" jsonschema:"At most 500 characters."`
}

// optOutWritten says that it was.
type optOutWritten struct {
	Message  string `json:"message"`
	Rejected int    `json:"rejected" jsonschema:"How many messages waited for them, and were rejected."`
}

// address is a number in E.164, or a mail address in lower case, as messages have
// them.
func (o *Orchestrator) address(c echo.Context, given string) (string, error) {
	if !strings.Contains(given, "@") {
		policy, err := o.store.ContactPolicy(c.Request().Context())
		if err != nil {
			return "", err
		}
		number, err := phone.E164(given, policy.Region)
		if err != nil {
			return "", invalid(agents.FieldError{Field: "address", Detail: err.Error()})
		}
		return number, nil
	}
	address := strings.ToLower(strings.TrimSpace(given))
	if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address || len(address) > 254 {
		return "", invalid(agents.FieldError{Field: "address", Detail: "is not one plain mail address, such as somebody@firm.example"})
	}
	return address, nil
}

type optOuts struct {
	OptOuts    []postgres.OptOut `json:"opt_outs"`
	NextCursor *string           `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) getPolicy(c echo.Context) (postgres.ContactPolicy, error) {
	if err := noQuery(c); err != nil {
		return postgres.ContactPolicy{}, err
	}
	return o.store.ContactPolicy(c.Request().Context())
}

// channelNames are the channels that there are.
var channelNames = []string{"whatsapp", "email"}

var (
	clockPattern    = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	languagePattern = regexp.MustCompile(`^[a-z]{2}$`)
	templatePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// placeholders are what a text may hold between braces; the database looks too.
	placeholders = regexp.MustCompile(`\{(name|firm)(\|[^{}|]{0,60})?\}`)
)

func (o *Orchestrator) changePolicy(c echo.Context) (postgres.ContactPolicy, error) {
	var none postgres.ContactPolicy
	if err := noQuery(c); err != nil {
		return none, err
	}
	var r policyRequest
	if err := readJSON(c, &r); err != nil {
		return none, err
	}
	var wrong []agents.FieldError
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if r.Channels != nil {
		slices.Sort(*r.Channels)
		*r.Channels = slices.Compact(*r.Channels)
		for _, name := range *r.Channels {
			if !slices.Contains(channelNames, name) {
				refuse("channels", "%q is not one of %s", name, strings.Join(channelNames, ", "))
			}
		}
	}
	if r.AutoTemplates != nil && len(*r.AutoTemplates) > 0 {
		known, err := o.store.MessageTemplates(c.Request().Context())
		if err != nil {
			return none, err
		}
		for _, name := range *r.AutoTemplates {
			if !slices.ContainsFunc(known, func(t postgres.MessageTemplate) bool { return t.Name == name }) {
				refuse("auto_templates", "there is no template %q", name)
			}
		}
	}
	if h := r.CooldownHours; h != nil && !(*h >= 0 && *h <= 8760) {
		refuse("cooldown_hours", "%v is not 0 to 8760", *h)
	}
	if n := r.DailyCap; n != nil && (*n < 0 || *n > 10_000) {
		refuse("daily_cap", "%d is not 0 to 10000", *n)
	}
	for field, clock := range map[string]*string{"quiet_from": r.QuietFrom, "quiet_until": r.QuietUntil} {
		if clock != nil && !clockPattern.MatchString(*clock) {
			refuse(field, "%.40q is not a time such as 20:00", *clock)
		}
	}
	if r.Zone != nil {
		if _, err := schedule.Zone(*r.Zone); err != nil {
			refuse("zone", "%s", err)
		}
	}
	if r.Region != nil && *r.Region != "" && !phone.Region(*r.Region) {
		refuse("region", "%.40q is no country with phone numbers, such as ID; the United Kingdom is GB", *r.Region)
	}
	if f := r.Firm; f != nil && (len([]rune(*f)) > 100 || strings.ContainsFunc(*f, func(r rune) bool { return r < ' ' || r == 0x7f })) {
		refuse("firm", "must have at most 100 characters on one line")
	}
	if len(wrong) > 0 {
		return none, invalid(wrong...)
	}
	p, err := o.store.ChangeContactPolicy(c.Request().Context(), granted(c).name, postgres.ContactPolicyChange{
		Channels: r.Channels, AutoTemplates: r.AutoTemplates, CooldownHours: r.CooldownHours, DailyCap: r.DailyCap,
		QuietFrom: r.QuietFrom, QuietUntil: r.QuietUntil, Zone: r.Zone, Region: r.Region, Firm: r.Firm,
	})
	if err == nil {
		o.dispatcher.wake()
	}
	return p, err
}

func (o *Orchestrator) listTemplates(c echo.Context) (messageTemplates, error) {
	if err := noQuery(c); err != nil {
		return messageTemplates{}, err
	}
	list, err := o.store.MessageTemplates(c.Request().Context())
	return messageTemplates{list}, err
}

func (o *Orchestrator) setTemplate(c echo.Context) (postgres.MessageTemplate, error) {
	var none postgres.MessageTemplate
	if err := noQuery(c); err != nil {
		return none, err
	}
	var r templateRequest
	if err := readJSON(c, &r); err != nil {
		return none, err
	}
	name, language := c.Param("name"), c.Param("language")
	var wrong []agents.FieldError
	refuse := func(field, detail string) { wrong = append(wrong, agents.FieldError{Field: field, Detail: detail}) }
	if !templatePattern.MatchString(name) || len(name) > 64 {
		refuse("name", "must be lower-case words joined by hyphens")
	}
	if !languagePattern.MatchString(language) {
		refuse("language", "must be two lower-case letters such as en")
	}
	wrong = append(wrong, textBounds("subject", &r.Subject, maxSubject)...)
	wrong = append(wrong, textBounds("body", &r.Body, 1500)...)
	for field, text := range map[string]string{"subject": r.Subject, "body": r.Body} {
		if strings.ContainsAny(placeholders.ReplaceAllString(text, ""), "{}") {
			refuse(field, "holds a brace that is not of {name|…} or {firm|…}")
		}
	}
	if strings.ContainsFunc(r.Subject, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		refuse("subject", "must be one line")
	}
	if len(wrong) > 0 {
		return none, invalid(wrong...)
	}
	return o.store.SetMessageTemplate(c.Request().Context(), granted(c).name, postgres.MessageTemplate{Name: name, Language: language, Subject: r.Subject, Body: r.Body})
}

func (o *Orchestrator) listOptOuts(c echo.Context) (optOuts, error) {
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return optOuts{}, err
	}
	before, err := numberCursor(cursor)
	if err != nil {
		return optOuts{}, err
	}
	list, err := o.store.OptOuts(c.Request().Context(), before, limit+1)
	if err != nil {
		return optOuts{}, err
	}
	page := optOuts{OptOuts: list}
	if len(list) > limit {
		page.OptOuts = list[:limit]
		cursor := strconv.FormatInt(list[limit-1].ID, 10)
		page.NextCursor = &cursor
	}
	return page, nil
}

// numberCursor reads the cursor of a list by number; 0 is the beginning.
func numberCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	before, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || before < 1 {
		return 0, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
	}
	return before, nil
}

func (o *Orchestrator) addOptOut(c echo.Context) (optOutWritten, error) {
	if err := noQuery(c); err != nil {
		return optOutWritten{}, err
	}
	var r optOutRequest
	if err := readJSON(c, &r); err != nil {
		return optOutWritten{}, err
	}
	out := postgres.OptOut{Source: "hand", Detail: r.Detail}
	switch {
	case r.Address == "" && r.ClientID == "":
		return optOutWritten{}, invalid(agents.FieldError{Detail: "name an address, a client_id or both"})
	case len([]rune(r.Detail)) > maxWhy || len(r.ClientID) > 1000:
		return optOutWritten{}, invalid(agents.FieldError{Detail: "detail and client_id must not be longer than 500 and 1000 characters"})
	}
	if r.ClientID != "" {
		out.ClientID = &r.ClientID
	}
	if r.Address != "" {
		address, err := o.address(c, r.Address)
		if err != nil {
			return optOutWritten{}, err
		}
		out.Address = &address
	}
	rejected, err := o.store.AddOptOut(c.Request().Context(), out)
	if err != nil {
		return optOutWritten{}, err
	}
	return optOutWritten{Message: fmt.Sprintf("nothing more is sent to them; %d messages that waited were rejected", rejected), Rejected: rejected}, nil
}

func (o *Orchestrator) endOptOut(c echo.Context) (optOutWritten, error) {
	if err := noQuery(c); err != nil {
		return optOutWritten{}, err
	}
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return optOutWritten{}, postgres.ErrNoOptOut
	}
	if err := o.store.EndOptOut(c.Request().Context(), id, granted(c).name); err != nil {
		return optOutWritten{}, err
	}
	return optOutWritten{Message: "they may be written to again"}, nil
}

// noTwiML is Twilio's answer that says nothing to the sender.
const noTwiML = `<?xml version="1.0" encoding="UTF-8"?><Response/>`

// receiveTwilio takes what a client wrote back, by Twilio's webhook: STOP is an
// opt-out, START ends it. The signature is who may call.
func (o *Orchestrator) receiveTwilio(c echo.Context) error {
	if o.cfg.TwilioToken == "" || o.cfg.PublicURL == "" {
		return newProblem(http.StatusNotFound, "channel-off", "This channel is not set up", "CICLO_TWILIO_AUTH_TOKEN and CICLO_PUBLIC_URL set it up")
	}
	in, err := channel.ParseInbound(c.Request(), strings.TrimSuffix(o.cfg.PublicURL, "/")+c.Request().URL.RequestURI(), o.cfg.TwilioToken)
	switch {
	case errors.Is(err, channel.ErrSignature):
		return newProblem(http.StatusForbidden, "signature-wrong", "The signature is not the provider's", "")
	case err != nil:
		return newProblem(http.StatusBadRequest, "bad-body", "The body can't be read", err.Error())
	}
	ctx := c.Request().Context()
	switch {
	case in.Stop:
		_, err = o.store.AddOptOut(ctx, postgres.OptOut{Address: &in.From, Source: "inbound", Detail: in.MessageID})
	case in.Start:
		err = o.store.EndInboundOptOuts(ctx, in.From)
	}
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/xml", []byte(noTwiML))
}

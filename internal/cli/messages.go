package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

type messagesCommand struct {
	List      messagesList      `cmd:"" default:"withargs" help:"List the messages to clients, newest first."`
	Show      messagesShow      `cmd:"" help:"Show a message with the numbers that it was drafted for."`
	Approve   messagesApprove   `cmd:"" help:"Let drafts go out."`
	Reject    messagesReject    `cmd:"" help:"Drop messages that have not begun to leave."`
	Resolve   messagesResolve   `cmd:"" help:"Say what became of a message whose fate is unknown, after looking."`
	Policy    messagesPolicy    `cmd:"" help:"Show the firm's rules of writing to clients, or change what is given."`
	Templates messagesTemplates `cmd:"" help:"Show the texts, or set one from a file."`
	OptOuts   messagesOptOuts   `cmd:"" help:"Show who wants to hear no more, add somebody, or end an opt-out."`
}

type messagesList struct {
	Status []string `help:"Those with this status; more than one by repeating the flag."`
	Client string   `help:"Those to one client."`
	Limit  int      `default:"20" help:"How many."`
}

func (c messagesList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := map[string][]string{"limit": {fmt.Sprint(c.Limit)}}
	if len(c.Status) > 0 {
		query["status"] = c.Status
	}
	if c.Client != "" {
		query["client_id"] = []string{c.Client}
	}
	page, err := api.Messages(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("MESSAGE", "CLIENT", "STATUS", "CHANNEL", "LANGUAGE", "SINCE", "REASON")
		for _, m := range page.Messages {
			row(m.ID, m.ClientID, m.Status, m.Channel, m.Language, clock(m.StatusAt), text(m.Reason))
		}
	})
	if page.NextCursor != nil {
		g.say("… and more: --limit shows up to 200.")
	}
	return nil
}

type messagesShow struct {
	ID string `arg:"" help:"The message."`
}

func (c messagesShow) Run(ctx context.Context, g *Globals) error {
	return g.onMessages([]string{c.ID}, func(api *client.Client, id string) (client.Message, error) { return api.Message(ctx, id) })
}

type messagesApprove struct {
	IDs     []string `arg:"" name:"id" help:"The messages."`
	Subject *string  `help:"Another subject."`
	Body    *string  `help:"Another text."`
}

func (c messagesApprove) Run(ctx context.Context, g *Globals) error {
	waits := map[string]bool{}
	err := g.onMessages(c.IDs, func(api *client.Client, id string) (client.Message, error) {
		m, err := api.ApproveMessage(ctx, id, c.Subject, c.Body)
		if err == nil {
			waits[m.Channel] = true
		}
		return m, err
	})
	if len(waits) == 0 || g.JSON {
		return err
	}
	api, failed := g.client()
	if failed != nil {
		return errors.Join(err, failed)
	}
	policy, failed := api.ContactPolicy(ctx)
	for _, channel := range slices.Sorted(maps.Keys(waits)) {
		if failed == nil && !slices.Contains(policy.Channels, channel) {
			g.say("They wait: the channel %s is off. `ciclo messages policy --channels %s` turns it on.", channel, strings.Join(append(slices.Clone(policy.Channels), channel), ","))
		}
	}
	return errors.Join(err, failed)
}

type messagesReject struct {
	IDs    []string `arg:"" name:"id" help:"The messages."`
	Reason string   `default:"no" help:"Why."`
}

func (c messagesReject) Run(ctx context.Context, g *Globals) error {
	return g.onMessages(c.IDs, func(api *client.Client, id string) (client.Message, error) {
		return api.RejectMessage(ctx, id, c.Reason)
	})
}

type messagesResolve struct {
	ID      string `arg:"" help:"The message."`
	Outcome string `arg:"" enum:"sent,send_again,dropped" help:"sent: the client has it; send_again: it did not leave, and shall; dropped: it did not leave, and shall not."`
}

func (c messagesResolve) Run(ctx context.Context, g *Globals) error {
	return g.onMessages([]string{c.ID}, func(api *client.Client, id string) (client.Message, error) {
		return api.ResolveMessage(ctx, id, c.Outcome)
	})
}

// onMessages does something with each message and shows it. One that is refused
// stops no other; the errors come together.
func (g *Globals) onMessages(ids []string, do func(*client.Client, string) (client.Message, error)) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	done, failed := []client.Message{}, []error{}
	for _, id := range ids {
		m, err := do(api, id)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done = append(done, m)
	}
	if g.JSON {
		return errors.Join(append(failed, g.printJSON(map[string]any{"messages": done}))...)
	}
	for _, m := range done {
		g.say("%s to %s by %s: %s%s", m.ID, m.ClientID, m.Channel, m.Status, after(": ", text(m.Reason)))
		g.say("  %s, %s, not before %s", m.Address, m.Language, m.NotBefore.Local().Format("2006-01-02 15:04"))
		g.say("  why: %s", numbers(m.Reasons))
		g.say("  %s\n", strings.ReplaceAll(m.Subject+"\n\n"+m.Body, "\n", "\n  "))
	}
	return errors.Join(failed...)
}

// after is a text with something before it, or nothing.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// numbers are a message's reasons on a line, by name.
func numbers(reasons json.RawMessage) string {
	var all map[string]any
	if err := json.Unmarshal(reasons, &all); err != nil {
		return string(reasons)
	}
	var texts []string
	for name, value := range all {
		switch v := value.(type) {
		case nil:
		case float64:
			texts = append(texts, fmt.Sprintf("%s %.4g", name, v))
		default:
			texts = append(texts, fmt.Sprintf("%s %v", name, v))
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

type messagesPolicy struct {
	Channels      *string  `help:"The channels that are on: whatsapp, email, both with a comma between, or none."`
	AutoTemplates *string  `help:"The templates whose messages need no approval, with commas between, or none."`
	CooldownHours *float64 `help:"Between two messages to one client."`
	DailyCap      *int     `help:"Messages a day."`
	QuietFrom     *string  `help:"Nobody is written to from this time of the client's day, such as 20:00."`
	QuietUntil    *string  `help:"Until this one."`
	Zone          *string  `help:"The firm's time zone."`
	Region        *string  `help:"The country of phone numbers that name none, such as ID."`
	Firm          *string  `help:"How the firm signs."`
}

func (c messagesPolicy) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	fields := map[string]any{}
	set(fields, "cooldown_hours", c.CooldownHours)
	set(fields, "daily_cap", c.DailyCap)
	set(fields, "quiet_from", c.QuietFrom)
	set(fields, "quiet_until", c.QuietUntil)
	set(fields, "zone", c.Zone)
	set(fields, "region", c.Region)
	set(fields, "firm", c.Firm)
	for name, list := range map[string]*string{"channels": c.Channels, "auto_templates": c.AutoTemplates} {
		if list != nil {
			fields[name] = commas(*list)
		}
	}
	var p client.ContactPolicy
	if len(fields) == 0 {
		p, err = api.ContactPolicy(ctx)
	} else {
		p, err = api.ChangeContactPolicy(ctx, fields)
	}
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(p)
	}
	none := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return strings.Join(list, ", ")
	}
	table(g.out, func(row func(...any)) {
		row("channels that are on", none(p.Channels))
		row("sent without approval", none(p.AutoTemplates))
		row("between two messages to a client", fmt.Sprintf("%g hours", p.CooldownHours))
		row("messages a day", p.DailyCap)
		row("quiet hours, the client's", p.QuietFrom+" to "+p.QuietUntil)
		row("the firm's zone", p.Zone)
		row("country of plain numbers", p.Region)
		row("signed", p.Firm)
	})
	return nil
}

func set[T any](fields map[string]any, name string, value *T) {
	if value != nil {
		fields[name] = *value
	}
}

// commas splits a list with commas between; none is the empty one.
func commas(list string) []string {
	out := []string{}
	for _, one := range strings.Split(list, ",") {
		if one = strings.TrimSpace(one); one != "" && one != "none" {
			out = append(out, one)
		}
	}
	return out
}

type messagesTemplates struct {
	List templatesList `cmd:"" default:"1" help:"Show the texts."`
	Set  templatesSet  `cmd:"" help:"Set a text in a language: the file's first line is the subject, the rest after an empty line the body."`
}

type templatesList struct{}

func (templatesList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	list, err := api.MessageTemplates(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"templates": list})
	}
	for _, t := range list {
		g.say("%s %s, by %s:\n  %s\n", t.Name, t.Language, t.ChangedBy, strings.ReplaceAll(t.Subject+"\n\n"+t.Body, "\n", "\n  "))
	}
	return nil
}

type templatesSet struct {
	Name     string `arg:"" help:"The template, such as slipping."`
	Language string `arg:"" help:"As two letters, such as en."`
	File     string `arg:"" type:"existingfile" help:"The text."`
}

func (c templatesSet) Run(ctx context.Context, g *Globals) error {
	content, err := os.ReadFile(c.File)
	if err != nil {
		return usageError{fmt.Errorf("read the text: %w", err)}
	}
	subject, body, found := strings.Cut(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n\n")
	if !found || strings.Contains(subject, "\n") {
		return usageError{fmt.Errorf("%s must have the subject on its first line, then an empty line, then the text", c.File)}
	}
	api, err := g.client()
	if err != nil {
		return err
	}
	t, err := api.SetMessageTemplate(ctx, c.Name, c.Language, subject, strings.TrimRight(body, "\n"))
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(t)
	}
	g.say("%s in %s is set; drafts that are there already keep their text.", t.Name, t.Language)
	return nil
}

type messagesOptOuts struct {
	List optOutsList `cmd:"" default:"1" help:"Show who wants to hear no more."`
	Add  optOutsAdd  `cmd:"" help:"Write down that somebody wants to hear no more; what waits for them is rejected."`
	End  optOutsEnd  `cmd:"" help:"End an opt-out, since they asked to be written to again."`
}

type optOutsList struct {
	Limit int `default:"50" help:"How many, newest first."`
}

func (c optOutsList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	page, err := api.OptOuts(ctx, map[string][]string{"limit": {fmt.Sprint(c.Limit)}})
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("OPT-OUT", "ADDRESS", "CLIENT", "SOURCE", "SINCE", "ENDED")
		for _, o := range page.OptOuts {
			ended := ""
			if o.EndedAt != nil {
				ended = clock(*o.EndedAt) + " by " + text(o.EndedBy)
			}
			row(o.ID, text(o.Address), text(o.ClientID), o.Source, clock(o.At), ended)
		}
	})
	return nil
}

type optOutsAdd struct {
	Address string `help:"A phone number or a mail address."`
	Client  string `help:"A client's id."`
	Detail  string `help:"How they said it."`
}

func (c optOutsAdd) Run(ctx context.Context, g *Globals) error {
	if c.Address == "" && c.Client == "" {
		return usageError{errors.New("name an --address, a --client or both")}
	}
	api, err := g.client()
	if err != nil {
		return err
	}
	rejected, err := api.AddOptOut(ctx, c.Address, c.Client, c.Detail)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"address": c.Address, "client_id": c.Client, "rejected": rejected})
	}
	g.say("Nothing more is sent to them; %d messages that waited were rejected.", rejected)
	return nil
}

type optOutsEnd struct {
	ID int64 `arg:"" help:"The opt-out."`
}

func (c optOutsEnd) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if err := api.EndOptOut(ctx, c.ID); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"opt_out_id": c.ID, "ended": true})
	}
	g.say("They may be written to again.")
	return nil
}

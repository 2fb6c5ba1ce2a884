package dashboard

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// messagesView are the messages: what waits for a person first.
type messagesView struct {
	listing
	// Unknown and Drafts wait for a person; empty where the list is filtered.
	Unknown, Drafts []client.Message
	MoreUnknown     bool
	// MoreDrafts is where the rest of the drafts are; empty where there are none.
	MoreDrafts string
	List       []client.Message
	Filtered   bool
	Title      string
	Names      map[string]string
	NamesError *string
	Policy     client.ContactPolicy
	Statuses   []string
}

// On reports whether a channel is turned on.
func (m messagesView) On(channel string) bool { return slices.Contains(m.Policy.Channels, channel) }

const (
	// draftsShown is how many whole messages a page holds.
	draftsShown = "8"
	// messagesListed is how many lines a list of messages has.
	messagesListed = "20"
)

// messageActions are what one may do with a message, wherever it is shown.
func messageActions() []action {
	return []action{
		{"/messages/{id}/approve", approveMessage}, {"/messages/{id}/reject", rejectMessage}, {"/messages/{id}/resolve", resolveMessage},
	}
}

func messages() page {
	return page{path: "/messages", section: "Messages", template: "messages.html", read: readMessages, actions: messageActions()}
}

func readMessages(ctx context.Context, v *Visit) (any, error) {
	filters, cursor := asked(v, "status", "client_id"), v.URL.Query().Get("cursor")
	m := messagesView{
		Filtered: len(filters) > 0, Title: strings.Join(filters["status"], ", "), Names: map[string]string{},
		Statuses: []string{"draft", "approved", "sending", "sent", "unknown", "failed", "rejected", "expired"},
	}
	var list, drafts, unknown client.MessagePage
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		m.Policy, err = v.API.ContactPolicy(ctx)
		return err
	})
	limit := messagesListed
	if m.Filtered {
		limit = draftsShown
	} else {
		ask.Go(func() (err error) {
			drafts, err = v.API.Messages(ctx, url.Values{"status": {"draft"}, "limit": {draftsShown}})
			return err
		})
		ask.Go(func() (err error) {
			unknown, err = v.API.Messages(ctx, url.Values{"status": {"unknown"}, "limit": {"4"}})
			return err
		})
	}
	ask.Go(func() (err error) {
		list, err = v.API.Messages(ctx, queryOf(filters, cursor, limit))
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	m.List, m.Drafts, m.Unknown = list.Messages, drafts.Messages, unknown.Messages
	for _, page := range []client.MessagePage{list, drafts, unknown} {
		maps.Copy(m.Names, page.Names)
		if page.NamesError != nil {
			m.NamesError = page.NamesError
		}
	}
	m.MoreUnknown = unknown.NextCursor != nil
	m.MoreDrafts = listingOf("/messages", url.Values{"status": {"draft"}}, "", drafts.NextCursor).Next
	m.listing = listingOf("/messages", filters, cursor, list.NextCursor)
	return m, nil
}

// messageView is one message.
type messageView struct {
	client.Message
	Names  map[string]string
	Policy client.ContactPolicy
}

// On reports whether a channel is turned on.
func (m messageView) On(channel string) bool { return slices.Contains(m.Policy.Channels, channel) }

func oneMessage() page {
	return page{path: "/messages/{id}", section: "Messages", template: "message.html", read: readMessage}
}

func readMessage(ctx context.Context, v *Visit) (any, error) {
	var m messageView
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		m.Message, err = v.API.Message(asking, v.PathValue("id"))
		return err
	})
	ask.Go(func() (err error) {
		m.Policy, err = v.API.ContactPolicy(asking)
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	// The list of a client's messages is what has the name.
	list, err := v.API.Messages(ctx, url.Values{"client_id": {m.ClientID}, "limit": {"1"}})
	m.Names = list.Names
	return m, err
}

// approveMessage lets a draft go out, with another text where the form has one.
func approveMessage(ctx context.Context, v *Visit) (next, said string, err error) {
	text := func(name string) *string {
		if !v.PostForm.Has(name) {
			return nil
		}
		// Browsers end lines with both; the text is kept as people write it.
		return new(strings.ReplaceAll(v.PostForm.Get(name), "\r\n", "\n"))
	}
	m, err := v.API.ApproveMessage(ctx, v.PathValue("id"), text("subject"), text("body"))
	if err != nil {
		return "", "", err
	}
	return "/messages/" + m.ID, "Approved. It leaves as soon as the contact policy allows.", nil
}

func rejectMessage(ctx context.Context, v *Visit) (next, said string, err error) {
	m, err := v.API.RejectMessage(ctx, v.PathValue("id"), v.PostForm.Get("reason"))
	if err != nil {
		return "", "", err
	}
	return "/messages/" + m.ID, "Rejected. It won't be sent.", nil
}

func resolveMessage(ctx context.Context, v *Visit) (next, said string, err error) {
	m, err := v.API.ResolveMessage(ctx, v.PathValue("id"), v.PostForm.Get("outcome"))
	if err != nil {
		return "", "", err
	}
	return "/messages/" + m.ID, "Written down: the message is " + m.Status + " now.", nil
}

// optOutsView are those who want to hear no more.
type optOutsView struct {
	listing
	Page client.OptOutPage
}

func optOuts() page {
	return page{
		path: "/messages/opt-outs", section: "Messages", template: "opt-outs.html", read: readOptOuts,
		actions: []action{{"/messages/opt-outs", addOptOut}, {"/messages/opt-outs/{id}/end", endOptOut}},
	}
}

func readOptOuts(ctx context.Context, v *Visit) (any, error) {
	cursor := v.URL.Query().Get("cursor")
	found, err := v.API.OptOuts(ctx, queryOf(nil, cursor, clientsShown))
	return optOutsView{listingOf("/messages/opt-outs", nil, cursor, found.NextCursor), found}, err
}

func addOptOut(ctx context.Context, v *Visit) (next, said string, err error) {
	rejected, err := v.API.AddOptOut(ctx, strings.TrimSpace(v.PostForm.Get("address")), strings.TrimSpace(v.PostForm.Get("client_id")), v.PostForm.Get("detail"))
	if err != nil {
		return "", "", err
	}
	return "/messages/opt-outs", fmt.Sprintf("Written down: nothing more is sent to them. %d messages that waited were rejected.", rejected), nil
}

func endOptOut(ctx context.Context, v *Visit) (next, said string, err error) {
	id, err := strconv.ParseInt(v.PathValue("id"), 10, 64)
	if err != nil {
		return "", "", &client.Problem{Status: 404, Title: "There is no such opt-out"}
	}
	if err := v.API.EndOptOut(ctx, id); err != nil {
		return "", "", err
	}
	return "/messages/opt-outs", "Ended: they may be written to again.", nil
}

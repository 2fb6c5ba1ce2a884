package played

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Command is one misbehaviour of the next request of its kind.
type Command struct {
	// At is the request that misbehaves. Of Twilio: create (also empty) or list. Of the
	// mail server: hello, mail, rcpt or data (also empty), which is after the text.
	At string `json:"at"`
	// Do is status, hang, cut or slow; of Twilio also half, malformed, long (more than
	// anybody reads) and, of list, next (a next page of the test's choice).
	Do string `json:"do"`
	// Accept says whether the message is taken all the same; slow always does.
	Accept     bool   `json:"accept"`
	Status     int    `json:"status"`      // of status; the mail server's reply code
	Code       int    `json:"code"`        // Twilio's, of status; 0 answers no JSON
	RetryAfter string `json:"retry_after"` // of status
	Millis     int    `json:"millis"`      // of slow
	Next       string `json:"next"`        // of next
}

// control keeps the commands of one server.
type control struct {
	closed chan struct{}

	mu       sync.Mutex
	commands []Command
	hung     int
}

// Misbehave adds commands; each is for one request of its kind, in order.
func (c *control) Misbehave(commands ...Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, commands...)
}

// Hung is how many requests were held so far: by hang or slow, whether or not the
// other side has gone since.
func (c *control) Hung() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hung
}

// next is the command for a request, of one of these names; the zero one where
// there is none. The caller holds mu.
func (c *control) next(names ...string) Command {
	for i, command := range c.commands {
		for _, name := range names {
			if command.At == name {
				c.commands = append(c.commands[:i:i], c.commands[i+1:]...)
				if command.Do == "hang" || command.Do == "slow" {
					c.hung++
				}
				return command
			}
		}
	}
	return Command{}
}

// hold waits as the command says: until gone or Close, or for its time.
func (c *control) hold(command Command, gone <-chan struct{}) {
	var enough <-chan time.Time // never, of hang
	if command.Do == "slow" {
		timer := time.NewTimer(time.Duration(command.Millis) * time.Millisecond)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-enough:
	case <-gone:
	case <-c.closed:
	}
}

// serve adds the endpoints by which another process commands: POST
// /played/commands takes a Command, GET /played/messages lists what was accepted,
// GET /played/hung counts.
func (c *control) serve(mux *http.ServeMux, messages func() any) {
	mux.HandleFunc("POST /played/commands", func(w http.ResponseWriter, r *http.Request) {
		var command Command
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&command); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.Misbehave(command)
	})
	mux.HandleFunc("GET /played/messages", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, messages()) })
	mux.HandleFunc("GET /played/hung", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.Hung()) })
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever left reads nothing
}

package pullrequest

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

const passphrase = "Secret phrase"

// Keys are made once: what opens, with and without a passphrase, what doesn't, and
// the host's.
var (
	ours, oursLocked = newKey(passphrase)
	strangers, _     = newKey("")
	hostKey          = newSigner()
)

// newKey is a private key as ssh-keygen writes it, plain and, where one is given,
// with a passphrase.
func newKey(with string) (plain, locked []byte) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	open, err1 := ssh.MarshalPrivateKey(key, "")
	if err := errors.Join(err, err1); err != nil {
		panic(err)
	}
	if with == "" {
		return pem.EncodeToMemory(open), nil
	}
	shut, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(with))
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(open), pem.EncodeToMemory(shut)
}

func newSigner() ssh.Signer {
	plain, _ := newKey("")
	return signer(plain)
}

func signer(key []byte) ssh.Signer {
	s, err := ssh.ParsePrivateKey(key)
	if err != nil {
		panic(err)
	}
	return s
}

func ecdsaSigner() ssh.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s, err1 := ssh.NewSignerFromKey(key)
	if err := errors.Join(err, err1); err != nil {
		panic(err)
	}
	return s
}

// mischief is what a host does once: from a count of bytes on that a service has
// said, it hangs up or says nothing more.
type mischief struct {
	on    string // a service
	after int
	hang  bool
}

// sshHost is a host that is reached by SSH, with the machine's git behind a shell.
type sshHost struct {
	o       *origin
	address string

	mu       sync.Mutex
	mute     bool   // it takes connections and says nothing
	deny     string // said to a push instead
	mischief *mischief
	said     int
	requests []string // "exec" and what else was asked for
	users    []string
}

// ssh plays a host with the repository; host's keys are those it shows.
func (o *origin) ssh(hostKeys ...ssh.Signer) *sshHost {
	o.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	h := &sshHost{o: o, address: listener.Addr().String()}
	c := &ssh.ServerConfig{PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(signer(ours).PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.users = append(h.users, m.User())
		return nil, nil
	}}
	if len(hostKeys) == 0 {
		hostKeys = []ssh.Signer{hostKey}
	}
	for _, key := range hostKeys {
		c.AddHostKey(key)
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				defer conn.Close()
				h.serve(conn, c)
			})
		}
	})
	o.t.Cleanup(func() { stop(); listener.Close(); all.Wait() })
	return h
}

func (h *sshHost) serve(conn net.Conn, c *ssh.ServerConfig) {
	h.mu.Lock()
	mute := h.mute
	h.mu.Unlock()
	if mute {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	theirs, channels, requests, err := ssh.NewServerConn(conn, c)
	if err != nil {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		for r := range requests {
			h.note(r.Type)
			_ = r.Reply(false, nil)
		}
	})
	gone := make(chan struct{})
	all.Go(func() { _ = theirs.Wait(); close(gone) })
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			continue
		}
		all.Go(func() {
			for r := range asked {
				h.note(r.Type)
				_ = r.Reply(r.Type == "exec", nil)
				if r.Type == "exec" {
					var command struct{ Text string }
					_ = ssh.Unmarshal(r.Payload, &command)
					all.Go(func() { h.run(conn, gone, channel, command.Text) })
				}
			}
		})
	}
}

func (h *sshHost) note(request string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, request)
}

// run gives a command to the shell, in the folder that is the user's home.
func (h *sshHost) run(conn net.Conn, gone <-chan struct{}, channel ssh.Channel, command string) {
	defer channel.Close()
	service, _, _ := strings.Cut(command, " ")
	h.mu.Lock()
	deny := h.deny
	h.mu.Unlock()
	status := 1
	if deny != "" && service == "git-receive-pack" {
		fmt.Fprintln(channel.Stderr(), deny)
	} else {
		cmd := exec.Command("sh", "-c", "git "+strings.TrimPrefix(command, "git-"))
		cmd.Dir = h.o.folder
		cmd.Stdout, cmd.Stderr = &sshOutput{h: h, conn: conn, gone: gone, channel: channel, service: service}, channel.Stderr()
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(in, channel); in.Close() }() // ends with the channel
		_ = cmd.Wait()
		status = cmd.ProcessState.ExitCode()
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}

// sshOutput is what a service says, up to where the host does its mischief. The
// service itself goes on to its end.
type sshOutput struct {
	h       *sshHost
	conn    net.Conn
	gone    <-chan struct{}
	channel ssh.Channel
	service string
	ended   bool
}

func (s *sshOutput) Write(p []byte) (int, error) {
	if s.ended {
		return len(p), nil
	}
	s.h.mu.Lock()
	m := s.h.mischief
	left := len(p)
	if m != nil && m.on == s.service {
		left = min(left, m.after-s.h.said)
		s.h.said += left
		if left < len(p) {
			s.h.mischief, s.h.said = nil, 0
		}
	}
	s.h.mu.Unlock()
	_, _ = s.channel.Write(p[:left])
	if s.ended = left < len(p); s.ended {
		if !m.hang {
			s.conn.Close()
		}
		<-s.gone
	}
	return len(p), nil
}

func (h *sshHost) misbehave(m mischief) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mischief, h.said = &m, 0
}

// misbehaves says whether that is still to come, and takes it back.
func (h *sshHost) misbehaves() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.mischief != nil
	h.mischief = nil
	return was
}

// knownHosts is a file that knows a host by some keys.
func knownHosts(t *testing.T, address string, hostKeys ...ssh.Signer) string {
	t.Helper()
	text := "# known\n"
	for _, key := range hostKeys {
		text += knownhosts.Line([]string{address, "127.0.0.1"}, key.PublicKey()) + "\n"
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// config is a way in that works.
func (h *sshHost) config() Config {
	h.o.t.Helper()
	c := config("ssh://git@" + h.address + h.o.dir)
	c.SSHKey, c.KnownHosts = ours, knownHosts(h.o.t, h.address, hostKey)
	return c
}

func TestSSHAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ remote, user, path string }{
		"URL":               {"ssh://git@%s%s/acme/prompts.git", "git", ""},
		"URL of no user":    {"ssh://%s%s/acme/prompts.git/", "git", ""},
		"URL of another":    {"ssh://deploy@%s%s/acme/prompts.git", "deploy", ""},
		"short":             {"git@127.0.0.1:acme/prompts.git", "git", "acme/prompts.git"},
		"short of no user":  {"127.0.0.1:acme/prompts.git", "git", "acme/prompts.git"},
		"short and hostile": {"git@127.0.0.1:acme/it's $(touch x)!.git", "git", "acme/it's $(touch x)!.git"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			h := o.ssh()
			conf := h.config()
			conf.Remote = c.remote
			if c.path == "" {
				conf.Remote = fmt.Sprintf(c.remote, h.address, o.folder)
			} else if at := filepath.Join(o.folder, c.path); at != o.dir {
				if err := os.Symlink(o.dir, at); err != nil {
					t.Fatal(err)
				}
			}
			r := open(t, conf)
			if c.path != "" { // which names no port: it is that of SSH, which tests can't have
				if r.ssh.address != "127.0.0.1:22" || r.ssh.path != c.path {
					t.Errorf("goes to %s for %s", r.ssh.address, r.ssh.path)
				}
				r.ssh.address = h.address
			}
			text, _, err := r.Read(t.Context(), "prompts/base.md")
			if err != nil || string(text) != prompt {
				t.Fatalf("read %q: %v", text, err)
			}
			p := o.proposal()
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			o.exactlyOne(p, out, nil)
			if slices.ContainsFunc(h.users, func(user string) bool { return user != c.user }) {
				t.Errorf("came as %v, want %s", h.users, c.user)
			}
			if slices.ContainsFunc(h.requests, func(asked string) bool { return asked != "exec" }) {
				t.Errorf("asked for %v, want commands alone", h.requests)
			}
		})
	}
}

func TestSSHOnGitHub(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	hub, url := o.serve()
	c := o.ssh().config()
	c.API = url + "/api"
	c.SSHKey, c.SSHPassphrase = oursLocked, passphrase
	r := open(t, c)
	p := o.proposal()
	for range 2 {
		out, err := r.Propose(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		o.exactlyOne(p, out, hub)
		if found, there, err := r.Find(t.Context(), p); err != nil || !there || found.Number != out.Number || found.Commit != out.Commit {
			t.Errorf("found %+v %t: %v", found, there, err)
		}
	}
}

func TestSSHRefused(t *testing.T) {
	t.Parallel()
	other, ec := newSigner(), ecdsaSigner()
	for name, c := range map[string]struct {
		shown, known []ssh.Signer
		change       func(*Config)
		permanent    bool
		texts        []string
	}{
		"another key":         {nil, []ssh.Signer{hostKey}, func(c *Config) { c.SSHKey = strangers }, true, []string{"doesn't take the key of CICLO_GIT_SSH_KEY_FILE (SHA256:", "for the user git"}},
		"unknown host":        {nil, nil, nil, true, []string{"CICLO_GIT_KNOWN_HOSTS doesn't know the host", "SHA256:", "ssh-keyscan"}},
		"changed host":        {nil, []ssh.Signer{other}, nil, true, []string{"CICLO_GIT_KNOWN_HOSTS has another", "SHA256:"}},
		"host of other kind":  {[]ssh.Signer{ec}, []ssh.Signer{hostKey}, nil, true, []string{"none of the kinds of host key", "ssh-ed25519"}},
		"no repository":       {nil, []ssh.Signer{hostKey}, func(c *Config) { c.Remote += "x" }, true, []string{"there is no repository there", "does not appear to be a git repository"}},
		"no base branch":      {nil, []ssh.Signer{hostKey}, func(c *Config) { c.Base = "trunk" }, true, []string{"has no branch trunk"}},
		"nobody there":        {nil, []ssh.Signer{hostKey}, func(c *Config) { c.Remote = "ssh://git@127.0.0.1:1/acme/prompts.git" }, false, []string{"connection refused"}},
		"one of several keys": {[]ssh.Signer{ec, hostKey}, []ssh.Signer{hostKey}, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			h := o.ssh(c.shown...)
			conf := h.config()
			conf.KnownHosts = knownHosts(t, h.address, c.known...)
			if c.change != nil {
				c.change(&conf)
			}
			r := open(t, conf)
			_, _, err := r.Read(t.Context(), "prompts/base.md")
			if c.texts == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, c.permanent, c.texts...)
			_, err = r.Propose(t.Context(), o.proposal())
			wantError(t, err, c.permanent, c.texts...)
			if len(o.branches()) != 0 {
				t.Error("a branch was made")
			}
		})
	}
	t.Run("revoked host", func(t *testing.T) {
		t.Parallel()
		h := newOrigin(t).ssh()
		c := h.config()
		line := "@revoked " + knownhosts.Line([]string{h.address}, hostKey.PublicKey())
		if err := os.WriteFile(c.KnownHosts, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := open(t, c).Read(t.Context(), "prompts/base.md")
		wantError(t, err, true, "is revoked in CICLO_GIT_KNOWN_HOSTS")
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		_, _, err := open(t, emptyOrigin(t).ssh().config()).Read(t.Context(), "x")
		wantError(t, err, true, "the repository is empty")
	})
	t.Run("key that only reads", func(t *testing.T) {
		t.Parallel()
		o := newOrigin(t)
		h := o.ssh()
		h.deny = "ERROR: The key you are authenticating with has been marked as read only."
		_, err := open(t, h.config()).Propose(t.Context(), o.proposal())
		wantError(t, err, true, "the key of CICLO_GIT_SSH_KEY_FILE lacks a right", "marked as read only")
	})
	t.Run("host with troubles", func(t *testing.T) {
		t.Parallel()
		o := newOrigin(t)
		h := o.ssh()
		h.deny = "disk I/O error"
		_, err := open(t, h.config()).Propose(t.Context(), o.proposal())
		wantError(t, err, false, "disk I/O error")
	})
}

// TestSSHCut has the host hang up after each of many counts of bytes; the next try
// must end in one branch.
func TestSSHCut(t *testing.T) {
	t.Parallel()
	for service, step := range map[string]int{"git-upload-pack": 131, "git-receive-pack": 29} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			h := o.ssh()
			r := open(t, h.config())
			p := o.proposal()
			cuts, pushed := 0, 0
			for after := 0; ; after += step {
				h.misbehave(mischief{on: service, after: after})
				out, err := r.Propose(t.Context(), p)
				if h.misbehaves() { // it says less than that
					if err != nil {
						t.Fatal(err)
					}
					o.exactlyOne(p, out, nil)
					break
				}
				if err != nil { // what is cut off after all was said changes nothing
					wantError(t, err, false, "speak to")
					cuts++
					pushed += len(o.branches())
				}
				if out, err = r.Propose(t.Context(), p); err != nil {
					t.Fatalf("after a cut at %d: %v", after, err)
				}
				o.exactlyOne(p, out, nil)
				o.git("branch", "-D", out.Branch)
			}
			if cuts < 5 || (pushed > 0) != (service == "git-receive-pack") {
				t.Errorf("%d cuts, %d of them when the branch was made", cuts, pushed)
			}
		})
	}
}

func TestSSHHang(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*mischief{
		"greeting":        nil,
		"references":      {on: "git-upload-pack", hang: true},
		"in their middle": {on: "git-upload-pack", after: 100, hang: true},
		"push":            {on: "git-receive-pack", hang: true},
		"in its middle":   {on: "git-receive-pack", after: 100, hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			h := o.ssh()
			r := open(t, h.config())
			p := o.proposal()
			begin := func() {
				if m == nil {
					h.mu.Lock()
					h.mute = true
					h.mu.Unlock()
				} else {
					h.misbehave(*m)
				}
			}
			begin()
			r.timeout = 2 * time.Second
			_, err := r.Propose(t.Context(), p)
			wantError(t, err, false, "gave no whole answer within 2s")
			r.timeout = 20 * time.Second
			begin()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if _, err = r.Propose(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not the context's", err)
			}
			h.mu.Lock()
			h.mute = false
			h.mu.Unlock()
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			o.exactlyOne(p, out, nil)
		})
	}
}

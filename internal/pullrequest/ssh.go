package pullrequest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	openssh "golang.org/x/crypto/ssh/knownhosts"
)

// short is a remote as scp writes it, such as git@host:path.
var short = regexp.MustCompile(`^(?:([^@/:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(.+)$`)

// login is how one comes in by SSH: as whom, where, with which key, and by which
// keys the host is known.
type login struct {
	user    string
	address string // host:port
	path    string // as the host takes it; without a / in front it is in the user's home
	key     ssh.Signer
	known   ssh.HostKeyCallback
	kinds   []string // of the host's known keys; none: it isn't known
}

// readSSH takes a remote that is reached by SSH apart; nil where it isn't. The
// error doesn't show it: it may hold a password.
func readSSH(text string) (*url.URL, *login, error) {
	l := &login{user: "git"}
	var u *url.URL
	if strings.HasPrefix(text, "ssh://") {
		var err error
		if u, err = url.Parse(text); err != nil {
			return nil, nil, errors.New("is no URL such as ssh://git@host/owner/name.git")
		}
		l.path = u.Path
		if strings.HasPrefix(l.path, "/~") {
			l.path = l.path[1:] // somebody's home, as git has it
		}
	} else {
		parts := short.FindStringSubmatch(text)
		if parts == nil || strings.Contains(text, "://") {
			return nil, nil, nil
		}
		u = &url.URL{Scheme: "ssh", Host: parts[2], Path: "/" + strings.TrimPrefix(parts[3], "/")}
		if parts[1] != "" {
			u.User = url.User(parts[1])
		}
		l.path = parts[3]
	}
	if u.User != nil {
		if _, password := u.User.Password(); password {
			return nil, nil, errors.New("holds a password: ssh is opened by CICLO_GIT_SSH_KEY_FILE alone")
		}
		if u.User.Username() != "" {
			l.user = u.User.Username()
		}
	}
	port := u.Port()
	if port == "" {
		port = "22"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || number == 0:
		return nil, nil, errors.New("holds a port that is none")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, nil, errors.New("must end with the path of the repository")
	case u.Hostname() == "" || strings.Trim(u.Path, "/") == "" || strings.HasPrefix(l.path, "-") || !printable(text+l.path+l.user):
		return nil, nil, errors.New("is no address such as ssh://git@host/owner/name.git or git@host:owner/name.git")
	}
	l.path = strings.TrimRight(l.path, "/")
	l.address = net.JoinHostPort(u.Hostname(), port)
	return u, l, nil
}

// unlock reads the key and the hosts that are known. The error shows no secret.
func (l *login) unlock(c Config) error {
	if len(c.SSHKey) == 0 {
		return errors.New("CICLO_GIT_SSH_KEY_FILE is not set: CICLO_GIT_REMOTE is reached by ssh, which takes a private key")
	}
	var err error
	var locked *ssh.PassphraseMissingError
	if l.key, err = ssh.ParsePrivateKey(c.SSHKey); errors.As(err, &locked) {
		if c.SSHPassphrase == "" {
			return errors.New("the key of CICLO_GIT_SSH_KEY_FILE has a passphrase: set CICLO_GIT_SSH_PASSPHRASE or CICLO_GIT_SSH_PASSPHRASE_FILE")
		}
		l.key, err = ssh.ParsePrivateKeyWithPassphrase(c.SSHKey, []byte(c.SSHPassphrase))
		if errors.Is(err, x509.IncorrectPasswordError) {
			return errors.New("CICLO_GIT_SSH_PASSPHRASE doesn't open the key of CICLO_GIT_SSH_KEY_FILE")
		}
	}
	if err != nil { // what it says may be of the key
		return errors.New("CICLO_GIT_SSH_KEY_FILE holds no private key that is understood: RSA, ECDSA or Ed25519, as ssh-keygen writes it")
	}
	files, err := knownFiles(c.KnownHosts)
	if err != nil {
		return err
	}
	hosts, err := knownhosts.NewDB(files...)
	if err != nil {
		return fmt.Errorf("read CICLO_GIT_KNOWN_HOSTS: %w", err)
	}
	l.known, l.kinds = hosts.HostKeyCallback(), hosts.HostKeyAlgorithms(l.address)
	return nil
}

// knownFiles are the files of the host keys that are taken.
func knownFiles(set string) ([]string, error) {
	if set != "" {
		return []string{set}, nil
	}
	all := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil { // a service may have none
		all = append(all, filepath.Join(home, ".ssh", "known_hosts"))
	}
	var there []string
	for _, file := range all {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("CICLO_GIT_KNOWN_HOSTS is not set: %w", err)
		}
	}
	if there == nil {
		return nil, errors.New("CICLO_GIT_KNOWN_HOSTS is not set, and there is no ~/.ssh/known_hosts and no /etc/ssh/ssh_known_hosts: a host's key is always checked")
	}
	return there, nil
}

// secure is git over SSH. go-git's own waits without end for a host that takes a
// connection and says nothing, and goes where ~/.ssh/config sends it.
type secure struct {
	start func(service string) (*spoken, error)
}

func (r *Repository) secure(ctx context.Context, g *guard) transport.Transport {
	return &secure{func(service string) (*spoken, error) { return r.ssh.start(ctx, r, g, service) }}
}

// NewUploadPackSession is for fetching.
func (s *secure) NewUploadPackSession(*transport.Endpoint, transport.AuthMethod) (transport.UploadPackSession, error) {
	return s.start(transport.UploadPackServiceName)
}

// NewReceivePackSession is for pushing.
func (s *secure) NewReceivePackSession(*transport.Endpoint, transport.AuthMethod) (transport.ReceivePackSession, error) {
	return s.start(transport.ReceivePackServiceName)
}

// spoken is one service of git at the other side of a connection.
type spoken struct {
	r       *Repository
	service string
	client  *ssh.Client
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	said    head // on its standard error
	forget  func() bool
	refs    *packp.AdvRefs
	asked   bool
}

// start connects, shows the key and starts a service. The end of the context cuts
// the connection, which ends whatever waits for it.
func (l *login) start(ctx context.Context, r *Repository, g *guard, service string) (*spoken, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	s := &spoken{r: r, service: service, forget: context.AfterFunc(ctx, func() { conn.Close() })}
	ours, channels, requests, err := ssh.NewClientConn(&counted{conn, g}, l.address, &ssh.ClientConfig{
		User: l.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(l.key)}, HostKeyAlgorithms: l.kinds,
		HostKeyCallback: func(name string, at net.Addr, key ssh.PublicKey) error {
			return l.recognise(g, key, l.known(name, at, key))
		},
	})
	if err != nil {
		s.forget()
		conn.Close()
		return nil, l.refused(r, err)
	}
	s.client = ssh.NewClient(ours, channels, requests)
	if err := s.begin(l.path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *spoken) begin(path string) (err error) {
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.in, err = s.session.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = s.session.StdoutPipe(); err != nil {
		return err
	}
	s.session.Stderr = &s.said
	return s.session.Start(s.service + " " + quote(path))
}

// quote makes one word of a text for the shell at the other side.
func quote(text string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(text) + "'"
}

// recognise makes something to act on of what known_hosts says of a host's key.
func (l *login) recognise(g *guard, key ssh.PublicKey, err error) error {
	if err == nil {
		return nil
	}
	shown := fmt.Sprintf("%s shows the host key %s (%s)", g.where, ssh.FingerprintSHA256(key), key.Type())
	var other *openssh.KeyError
	var revoked *openssh.RevokedError
	switch {
	case errors.As(err, &revoked):
		return g.fail(refuse("%s, which is revoked in CICLO_GIT_KNOWN_HOSTS: don't go on before its operator says why", shown))
	case errors.As(err, &other) && len(other.Want) > 0:
		return g.fail(refuse("%s, and CICLO_GIT_KNOWN_HOSTS has another: somebody may be in between; ask its operator whether it was changed, then replace its line", shown))
	case errors.As(err, &other):
		return g.fail(refuse("%s, and CICLO_GIT_KNOWN_HOSTS doesn't know the host: compare it with what its operator publishes, then add the line that ssh-keyscan prints", shown))
	}
	return g.fail(refuse("%s, which can't be checked: %w", shown, g.r.foreign(err)))
}

// refused is the error that a greeting ended with. The library has no type for a
// key that isn't taken, so its words tell.
func (l *login) refused(r *Repository, err error) error {
	var none *ssh.AlgorithmNegotiationError
	switch {
	case strings.Contains(err.Error(), "unable to authenticate"):
		return refuse("%s doesn't take the key of CICLO_GIT_SSH_KEY_FILE (%s) for the user %s: add its public half there", r.host, ssh.FingerprintSHA256(l.key.PublicKey()), l.user)
	case errors.As(err, &none) && len(l.kinds) > 0:
		return refuse("%s shows none of the kinds of host key that CICLO_GIT_KNOWN_HOSTS has of it (%s), or speaks another SSH: ask its operator whether it was changed, then replace its line: %w", r.host, strings.Join(l.kinds, ", "), r.foreign(err))
	case errors.As(err, &none):
		return refuse("%s speaks another SSH: %w", r.host, r.foreign(err))
	}
	return err
}

// AdvertisedReferences is not used: it has no context.
func (s *spoken) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext is what the remote shows first. The context is that
// of the connection.
func (s *spoken) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	if s.refs != nil {
		return s.refs, nil
	}
	refs := packp.NewAdvRefs()
	err := refs.Decode(s.out)
	fetching := s.service == transport.UploadPackServiceName
	switch {
	case err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs):
		return nil, s.refused(err)
	case fetching && refs.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	s.refs = refs
	return refs, nil
}

// refused is the error that a service which shows no references ended with.
func (s *spoken) refused(err error) error {
	var line *pktline.ErrorLine
	var said string
	if errors.As(err, &line) {
		said = s.r.clean(line.Text)
	} else {
		_, _ = io.Copy(io.Discard, s.out) // to its end, where its last words are in
		_ = s.session.Wait()              // the words say more than the status
		said = s.r.clean(s.said.String())
	}
	if said == "" {
		return err
	}
	lower := strings.ToLower(said)
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(lower, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("does not appear to be a git repository", "not found", "no such repository", "does not exist", "could not be found"):
		return refuse("%s: there is no repository there that the key of CICLO_GIT_SSH_KEY_FILE opens; is CICLO_GIT_REMOTE right? It says: %s", s.r.host, said)
	case has("denied", "read only", "read-only", "not allowed", "not permitted", "forbidden", "unauthorized", "not authorized"):
		return refuse("%s: the key of CICLO_GIT_SSH_KEY_FILE lacks a right that this needs. It says: %s", s.r.host, said)
	}
	return fmt.Errorf("it shows no branches: %s", said)
}

// UploadPack asks for a pack. The end of the context cuts the connection.
func (s *spoken) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	s.asked = true
	context.AfterFunc(ctx, func() { s.client.Close() })
	wrote := s.request(req)
	answer := packp.NewUploadPackResponse(req)
	// A remote that refuses may hang up before it has read everything: its words
	// say more than that.
	if err := answer.Decode(io.NopCloser(s.out)); err != nil {
		return nil, errors.Join(err, wrote)
	}
	return answer, wrote
}

func (s *spoken) request(req *packp.UploadPackRequest) error {
	if err := req.UploadRequest.Encode(s.in); err != nil {
		return err
	}
	if err := req.UploadHaves.Encode(s.in, true); err != nil {
		return err
	}
	if err := pktline.NewEncoder(s.in).Encodef("done\n"); err != nil {
		return err
	}
	return s.in.Close()
}

// ReceivePack pushes, and waits until the remote has done what it does afterwards.
func (s *spoken) ReceivePack(_ context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	s.asked = true
	wrote := req.Encode(s.in)
	if wrote == nil {
		wrote = s.in.Close()
	}
	report := packp.NewReportStatus()
	answer := demuxed(req.Capabilities, s.out, req.Progress)
	if err := report.Decode(answer); err != nil {
		return nil, errors.Join(err, wrote)
	}
	_, _ = io.Copy(io.Discard, answer) // what came is certain
	return report, nil
}

// Close ends the service and the connection, and waits for what read of it.
func (s *spoken) Close() error {
	if s.session != nil && !s.asked && s.in != nil {
		_, _ = s.in.Write(pktline.FlushPkt) // nothing is wanted; it may be gone
	}
	s.forget()
	s.client.Close()
	_ = s.client.Wait() // says that it was closed
	return nil
}

// counted is a connection that the guard bounds.
type counted struct {
	net.Conn
	g *guard
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if over := c.g.count(n); over != nil {
		return 0, over
	}
	return n, err
}

// head keeps the beginning of what is written to it.
type head struct{ strings.Builder }

func (h *head) Write(p []byte) (int, error) {
	h.Builder.Write(p[:min(len(p), max(0, 4<<10-h.Len()))])
	return len(p), nil
}

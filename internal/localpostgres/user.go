package localpostgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"strconv"
	"syscall"
)

// user is whom the server runs as when the process itself is root, as whom
// PostgreSQL refuses to run. A nil *user stands for the process's own user.
type user struct {
	name     string
	uid, gid uint32
}

// serverUser returns nil unless the process is root, and then the machine's
// postgres user, or nobody where there is none.
func serverUser() (*user, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		// On macOS nobody is -2, which the kernel keeps as a uint32.
		uid, uidErr := strconv.ParseInt(found.Uid, 10, 64)
		gid, gidErr := strconv.ParseInt(found.Gid, 10, 64)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &user{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody")
}

// id is the uid that files of the server belong to.
func (u *user) id() uint32 {
	if u == nil {
		return uint32(os.Geteuid())
	}
	return u.uid
}

// own gives a file that this process has just made to the user. It doesn't
// follow links, so that nobody who may write in the parent can turn it on
// another file.
func (u *user) own(path string) error {
	if u == nil {
		return nil
	}
	return os.Lchown(path, int(u.uid), int(u.gid))
}

// canEnter reports whether the user gets into the directory, which needs every
// parent to let it through. It asks the kernel by trying, since modes alone
// don't tell (ACLs, security modules).
func (u *user) canEnter(ctx context.Context, dir string) bool {
	if u == nil {
		return true
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "exit 0")
	cmd.Dir = dir // entered by the child, after it has become the user
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(u)
	return cmd.Run() == nil
}

// attributes are those of every program that runs for the server: as the user,
// and in a process group of its own, so that a Ctrl-C in the terminal reaches
// this process only.
func attributes(as *user) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		// Groups stays empty: the child keeps none of root's.
		attr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return attr
}

// environment is what the server and its tools see: not the caller's PG*
// variables, which would change what they do, nor its secrets.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC", "HOME=/"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// ownerOf returns the owner of a file, of a link itself where it is one.
func ownerOf(info os.FileInfo) (uint32, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("no owner known of %s", info.Name())
	}
	return stat.Uid, nil
}

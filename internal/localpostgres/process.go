package localpostgres

import (
	"os/exec"
	"runtime"
)

// start starts the command and returns a channel that gives its end once.
//
// One goroutine starts it and waits for it, bound to its thread all that time:
// on Linux the kernel takes the death of that thread for the death of the
// parent, and Go ends idle threads as it pleases.
func start(cmd *exec.Cmd) (<-chan error, error) {
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		ended <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return ended, nil
}

package localpostgres

import "syscall"

// dieWithParent makes the kernel send the child SIGINT, which PostgreSQL takes
// as an order for a fast shutdown, when the thread that started it dies. The
// thread must therefore live as long as the child: see start.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// retire has nothing to do on Linux: a server whose parent is gone has had its
// signal already.
func retire(string) {}

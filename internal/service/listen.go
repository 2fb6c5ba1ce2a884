package service

import (
	"fmt"
	"net"
	"strconv"
)

// CheckListen looks at an address to listen on, host:port; empty is none.
func CheckListen(variable, address string) error {
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%s is %q: it must be host:port, such as 127.0.0.1:8080 or :8080", variable, address)
	}
	return nil
}

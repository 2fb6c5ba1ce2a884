package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Refused reports whether the database answered and will never take this data:
// an invalid value or a broken constraint. Anything else may pass later.
func Refused(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (strings.HasPrefix(pgErr.Code, "22") || strings.HasPrefix(pgErr.Code, "23"))
}

// Forbidden says that the role may not do it.
func Forbidden(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "42501"
}

// violated names the unique constraint that the error is about, or is empty.
func violated(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "23505" {
		return pgErr.ConstraintName
	}
	return ""
}

// Away reports whether the database couldn't be reached, or went away in the middle: no
// connection, whatever the server said to that, or a broken one; SQLSTATE 08 (connection)
// or 57P (shutdown, crash, starting up), too many clients, a standby that was not promoted
// yet. It is no answer to what was asked, and may pass. A context that ended is not it.
func Away(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &connect):
		return true
	case errors.As(err, &pgErr):
		return strings.HasPrefix(pgErr.Code, "08") || strings.HasPrefix(pgErr.Code, "57P") || slices.Contains([]string{"25006", "53300"}, pgErr.Code)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	}
	return errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

package dashboard

import (
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure is a page that could not be shown, or something that could not be done, and why.
type failure struct {
	Code  int
	Title string
	Text  string
}

func (f *failure) Error() string { return f.Text }

// badRequest is the viewer's mistake.
func badRequest(format string, args ...any) error {
	return &failure{http.StatusBadRequest, "That cannot be", fmt.Sprintf(format, args...)}
}

// failed is what a viewer is told of an error.
func failed(err error) *failure {
	var own *failure
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return &failure{Code: http.StatusOK}
	case errors.As(err, &own):
		return own
	case errors.As(err, &large):
		return &failure{http.StatusRequestEntityTooLarge, "Too large",
			fmt.Sprintf("what was sent is larger than %d bytes", large.Limit)}
	}
	text := status.Convert(err).Message()
	switch status.Code(err) {
	case codes.NotFound:
		return &failure{http.StatusNotFound, "Not found", text}
	case codes.InvalidArgument, codes.OutOfRange:
		return &failure{http.StatusBadRequest, "That cannot be", text}
	case codes.Unauthenticated:
		return &failure{http.StatusUnauthorized, "Who are you?", text}
	case codes.PermissionDenied:
		return &failure{http.StatusForbidden, "Not for you", text}
	case codes.FailedPrecondition, codes.AlreadyExists:
		return &failure{http.StatusConflict, "Not now", text}
	case codes.ResourceExhausted:
		return &failure{http.StatusTooManyRequests, "Too much", text}
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return &failure{http.StatusServiceUnavailable, "No controller answers", text}
	}
	return &failure{http.StatusInternalServerError, "Something went wrong", text}
}

package chaos

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrInjected is what every injected failure is: errors.Is(err, ErrInjected).
var ErrInjected = errors.New("chaos: injected failure")

// errDisarmed says that a wait ended because its rule is gone. It never leaves the package bare.
var errDisarmed = errors.New("the rule was disarmed")

// fault is the error of a hit: a text, a gRPC status and the errors that it also is.
type fault struct {
	text   string
	status *status.Status
	is     []error
}

func (f *fault) Error() string              { return f.text }
func (f *fault) GRPCStatus() *status.Status { return f.status }
func (f *fault) Unwrap() []error            { return f.is }

// injected is a new failure with the text of err. Its gRPC code is code, else that of err if err has one,
// else UNAVAILABLE; the message and details of a status that err carries are kept.
func injected(err error, code codes.Code) error {
	st, ok := status.FromError(err)
	if !ok || st.Code() == codes.OK {
		st = status.New(codes.Unavailable, err.Error())
	}
	if code != codes.OK {
		p := st.Proto()
		p.Code = int32(code)
		st = status.FromProto(p)
	}
	return &fault{text: err.Error(), status: st, is: []error{ErrInjected, err}}
}

// interrupted is the error of a hit whose context ended, with err, while site held it.
func interrupted(err error, site *Site) error {
	text := fmt.Sprintf("held by chaos at %s: %v", site.name, err)
	return &fault{text: text, status: status.New(status.FromContextError(err).Code(), text), is: []error{err}}
}

// Of more sites than sitesListed, an error lists the sitesAlike that are most like the key.
const (
	sitesListed = 30
	sitesAlike  = 10
)

// unknownSite refuses a key that no site has: it names the nearest one and lists all, or those most like it.
func unknownSite(key string, sites map[string]*Site) error {
	if len(sites) == 0 {
		return fmt.Errorf("chaos: no site %q: this program declares none; import the packages that do", key)
	}
	names := slices.Sorted(maps.Keys(sites))
	if len(names) > sitesListed {
		slices.SortStableFunc(names, func(a, b string) int { return distance(key, a) - distance(key, b) })
		return fmt.Errorf("chaos: no site %q; did you mean %q? Of %d sites these are like it: %s",
			key, names[0], len(names), strings.Join(names[:sitesAlike], ", "))
	}
	return fmt.Errorf("chaos: no site %q; did you mean %q? The sites are %s",
		key, nearest(key, names), strings.Join(names, ", "))
}

// want says which words there are, and which of them is like the one that was found.
func want(found string, words []string) string {
	text := "want " + or(words)
	if like := nearest(found, words); distance(found, like) <= max(2, len(like)/2) {
		text += "; did you mean " + like + "?"
	}
	return text
}

// or is one or more words, as in "a, b or c".
func or(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// nearest is the word that takes the fewest changes to become.
func nearest(found string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int { return distance(found, a) - distance(found, b) })
}

// distance is the number of changes, apart from those of case.
func distance(a, b string) int {
	return levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(b))
}

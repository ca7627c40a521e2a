package console

import (
	"slices"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

const goingAway = 1001

// inOrder are the codes of the close frames with which a link ends as it should; 1005 means that there was none in it.
var inOrder = []int{1000, goingAway, 1005}

// IsProblem reports whether something went wrong: what the page shows in red and its filter "Problems" lets through, and what
// is counted as a problem of its source.
func IsProblem(e *vantiqtest.Event) bool {
	switch e.Kind {
	case vantiqtest.UpgradeRefused, vantiqtest.ValidateRejected, vantiqtest.ConnectRefused, vantiqtest.ConnectIgnored, vantiqtest.Usurped,
		vantiqtest.QueryAbandoned, vantiqtest.StrayReceived, vantiqtest.TooLargeReceived, vantiqtest.MalformedReceived,
		vantiqtest.UnexpectedReceived, vantiqtest.OddReceived:
		return true
	case vantiqtest.FinalReceived:
		return e.Err != nil
	case vantiqtest.LinkClosed: // whether that was wanted only its code can tell
		return !slices.Contains(inOrder, e.Status)
	}
	return false
}

package console

import "github.com/vantiq-go/connectorsdk/vantiqtest"

// The codes of the close frames with which a link ends as it should.
const (
	closedInOrder = 1000
	goingAway     = 1001
)

// isProblem reports whether something went wrong: what the page shows in red and its filter "Problems" lets through, and what
// is counted as a problem of its source.
func isProblem(e *vantiqtest.Event) bool {
	switch e.Kind {
	case vantiqtest.UpgradeRefused, vantiqtest.ValidateRejected, vantiqtest.ConnectRefused, vantiqtest.ConnectIgnored, vantiqtest.Usurped,
		vantiqtest.QueryAbandoned, vantiqtest.StrayReceived, vantiqtest.TooLargeReceived, vantiqtest.MalformedReceived,
		vantiqtest.UnexpectedReceived, vantiqtest.OddReceived:
		return true
	case vantiqtest.FinalReceived:
		return e.Err != nil
	case vantiqtest.LinkClosed: // whether that was wanted only its code can tell
		return e.Status != closedInOrder && e.Status != goingAway
	}
	return false
}

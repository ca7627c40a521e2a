// Package job has the list of what is measured, and what the processes of a measurement tell each other.
package job

import (
	"encoding/json"
	"strconv"
	"time"
)

// A Kind says what the server does in a case.
type Kind string

// The kinds of cases.
const (
	Publish Kind = "publish" // it floods the peer with published messages
	Query   Kind = "query"   // it keeps so many queries outstanding
	Notify  Kind = "notify"  // it acknowledges what the peer sends as fast as it can
	Rows    Kind = "rows"    // it asks for many rows, again and again
	Sources Kind = "sources" // it waits until so many sources are configured
	Restart Kind = "restart" // as Sources; then it resets every link, and is away for a while
)

// The peers.
const (
	Raw       = "raw"        // a loop over gorilla/websocket that decodes no JSON: the floor
	JSON      = "json"       // the same loop through map[string]any
	SDK       = "sdk"        // this SDK; values stay as they are: Document, json.RawMessage
	SDKStruct = "sdk-struct" // this SDK; values are Go structs
	SDKCodec  = "sdk-codec"  // this SDK; the connector encodes its struct by another codec: Encoded
	SDKVouch  = "sdk-vouch"  // this SDK; what is sent has been encoded before, and is vouched for: Encoded
	Python    = "python"     // the official SDK for Python
)

// A Case is one thing that is measured.
type Case struct {
	Name        string        `json:"name"`
	Kind        Kind          `json:"kind"`
	Size        int           `json:"size,omitempty"`        // bytes of a published or sent record
	ReportEvery int           `json:"reportEvery,omitempty"` // published messages handled between two reports
	Outstanding int           `json:"outstanding,omitempty"` // queries
	Delay       time.Duration `json:"delay,omitempty"`       // that a query's handler waits, in nanoseconds
	Rows        int           `json:"rows,omitempty"`        // of one answer
	Sources     int           `json:"sources"`
	Idle        bool          `json:"idle,omitempty"` // what the peer takes without a load is measured, too
	Away        time.Duration `json:"away,omitempty"` // how long the server is away, in nanoseconds
	TLS         bool          `json:"tls,omitempty"`
	Plain       string        `json:"plain,omitempty"` // the same case without TLS
}

// A Job is what a server or a peer process gets: the case and what it needs besides.
type Job struct {
	Case
	Peer   string          `json:"peer"`
	Time   time.Duration   `json:"time,omitempty"`   // server: how long to measure, the warm-up included, in nanoseconds
	URL    string          `json:"url,omitempty"`    // peer: of the WebSocket
	Token  string          `json:"token,omitempty"`  // peer: to authenticate with
	CAFile string          `json:"caFile,omitempty"` // peer: whom to trust
	Record json.RawMessage `json:"record,omitempty"` // peer: what to send
}

// SourceName returns the name of one source, counted from 0.
func SourceName(i int) string { return "bench-" + strconv.Itoa(i) }

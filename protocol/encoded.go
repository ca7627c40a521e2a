package protocol

import "errors"

// Encoded is JSON for which its maker vouches, as one may for the output of an encoder: it is sent as it is, without a check, and
// must not be written to afterwards. It has to be UTF-8 without space in front, nested no deeper than 998 levels, as all that
// AppendJSON appends.
//
// Vantiq cannot read what is not JSON. An answer like that never arrives. A notification is never acknowledged, and as
// acknowledgements carry no id, none behind it can be told from another's: they may be sent again and again, or be taken for
// delivered. What comes from elsewhere belongs into a [json.RawMessage], which is checked.
type Encoded []byte

var errNothing = errors.New("an Encoded of no bytes is no JSON")

// MarshalJSON returns the text, for an Encoded inside of another value; encoding/json checks it there.
func (e Encoded) MarshalJSON() ([]byte, error) { return e, nil }

package protocol

import "errors"

// Encoded is JSON for which its maker vouches, as one may for the output of an encoder: it is sent as it is, without a check, and
// must not be written to afterwards. It has to be UTF-8 without space around it, nested no deeper than 998 levels.
//
// Vantiq cannot read what is not JSON, and will not acknowledge it: such a notification would hold up all behind it, for ever.
// What comes from elsewhere belongs into a [json.RawMessage], which is checked.
type Encoded []byte

var errNothing = errors.New("an Encoded of no bytes is no JSON")

// MarshalJSON returns the text, for an Encoded inside of another value; encoding/json checks it there.
func (e Encoded) MarshalJSON() ([]byte, error) { return e, nil }

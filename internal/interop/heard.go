package interop

import (
	"encoding/json"
	"strings"
)

// heard is a message from Vantiq, as far as the SDKs look at it.
type heard struct {
	Op             *string         `json:"op"`
	Status         *int            `json:"status"`
	Body           json.RawMessage `json:"body"`
	Object         json.RawMessage `json:"object"`
	MessageHeaders struct {
		ReplyAddress *string `json:"REPLY_ADDR_HEADER"`
	} `json:"messageHeaders"`
}

// is reports whether the message is that operation.
func (h *heard) is(op string) bool { return h.Op != nil && *h.Op == op }

// refusal returns what an error says, or "" if the message is none.
func (h *heard) refusal() string {
	if h.Op != nil || h.Status == nil || *h.Status < 300 {
		return ""
	}
	return strings.TrimSpace(string(h.Body)) + " "
}

// config returns object.config, or "" if there is none.
func (h *heard) config() string {
	var object struct {
		Config json.RawMessage `json:"config"`
	}
	_ = json.Unmarshal(h.Object, &object)
	return string(object.Config)
}

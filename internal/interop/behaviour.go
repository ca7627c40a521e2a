package interop

import (
	"encoding/json"
	"fmt"
)

// Behaviour is what every connector here does, whatever it is written in; testdata/connector.py is the same in Python:
//
//   - a configuration, a published message and the end of a session are told by a notification:
//     {"configured": …}, {"published": …}, and {"closed": n} once the next session has begun, n being how many have ended
//   - a query is answered as its parameters ask, see [Ask]
type Behaviour struct{ closed int }

// Ask is what the parameters of a query may hold.
type Ask struct {
	Rows    int             `json:"rows"`    // so many rows {"n": 0}, {"n": 1} …; 0 is answered with no rows at all
	Partial int             `json:"partial"` // this many in each partial response; 0: all rows in one final response
	Row     json.RawMessage `json:"row"`     // the final response is this one row, not in a list
	Empty   bool            `json:"empty"`   // the final response is an empty one, after the rows
	Error   string          `json:"error"`   // the final response is an error about this text, after the rows
}

// An answer is one response to a query.
type answer struct {
	status int
	body   string // JSON; "" for none
}

// configured returns what is told when a session has begun.
func (b *Behaviour) configured(config string) (notifications []string) {
	if b.closed > 0 {
		notifications = append(notifications, fmt.Sprintf(`{"closed":%d}`, b.closed))
	}
	return append(notifications, `{"configured":`+config+`}`)
}

func (b *Behaviour) published(message string) (notification string) {
	return `{"published":` + message + `}`
}

// ended takes note that a session has ended.
func (b *Behaviour) ended() { b.closed++ }

// answers returns the responses that parameters ask for, the final one last.
func (b *Behaviour) answers(parameters string) ([]answer, error) {
	var ask Ask
	if err := json.Unmarshal([]byte(parameters), &ask); err != nil {
		return nil, fmt.Errorf("interop: parameters of a query: %w", err)
	}
	var answers []answer
	first := 0
	if ask.Partial > 0 {
		open := 1 // rows that the final response holds at least
		if ask.Empty || ask.Error != "" {
			open = 0
		}
		for ask.Rows-first >= ask.Partial+open {
			answers = append(answers, answer{100, rows(first, first+ask.Partial)})
			first += ask.Partial
		}
	}
	switch {
	case ask.Error != "":
		text, err := json.Marshal(ask.Error)
		if err != nil {
			return nil, err
		}
		body := `{"messageCode":"interop.asked","messageTemplate":"it was asked to fail: {0}","parameters":[` + string(text) + `]}`
		return append(answers, answer{400, body}), nil
	case ask.Row != nil:
		return append(answers, answer{200, string(ask.Row)}), nil
	case ask.Empty || ask.Rows == 0:
		return append(answers, answer{204, ""}), nil
	}
	return append(answers, answer{200, rows(first, ask.Rows)}), nil
}

func rows(from, to int) string {
	text := "["
	for n := from; n < to; n++ {
		if n > from {
			text += ","
		}
		text += fmt.Sprintf(`{"n":%d}`, n)
	}
	return text + "]"
}

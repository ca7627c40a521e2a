package protocol

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A QueryError is the error that a SELECT fails with. VAIL sees the code, and the template with its placeholders {0},
// {1}, … replaced by the parameters. A text that may hold braces belongs in a parameter.
type QueryError struct {
	Code       string // for programs, like com.example.badQuery
	Template   string // for people
	Parameters []any  // anything that can be marshalled as JSON
}

// Error returns the code and the formatted template.
func (e QueryError) Error() string { return e.Code + ": " + e.Message() }

// Message returns the template with its placeholders replaced. A placeholder without a parameter stays as it is.
func (e QueryError) Message() string {
	var text strings.Builder
	rest := e.Template
	for {
		before, after, found := strings.Cut(rest, "{")
		text.WriteString(before)
		if !found {
			return text.String()
		}
		index, tail, closed := strings.Cut(after, "}")
		n, err := strconv.ParseUint(index, 10, 16)
		if !closed || err != nil || int(n) >= len(e.Parameters) {
			text.WriteByte('{')
			rest = after
			continue
		}
		_, _ = fmt.Fprint(&text, e.Parameters[n])
		rest = tail
	}
}

// The names of a query error's members differ from those of the server's own errors.
type queryErrorBody struct {
	Code       string            `json:"messageCode"`
	Template   string            `json:"messageTemplate"`
	Parameters []json.RawMessage `json:"parameters"`
}

// AppendQueryError appends the final response that fails a query: status 400 with one error object. A parameter that
// cannot be marshalled is sent as its text, for a failure must not get lost because its description is odd.
func AppendQueryError(dst []byte, address ReplyAddress, e QueryError) []byte {
	body := appendString([]byte(`{"messageCode":`), e.Code)
	body = appendString(append(body, `,"messageTemplate":`...), e.Template)
	body = append(body, `,"parameters":[`...)
	for i, parameter := range e.Parameters {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendParameter(body, parameter)
	}
	return AppendQueryResponse(dst, address, CodeError, append(body, "]}"...))
}

func appendParameter(dst []byte, parameter any) (longer []byte) {
	defer func() {
		if recover() != nil { // in a MarshalJSON method
			longer = appendString(dst, fmt.Sprintf("%T", parameter))
		}
	}()
	longer, err := AppendJSON(dst, parameter)
	if err != nil {
		return appendString(dst, fmt.Sprint(parameter))
	}
	return longer
}

// ParseQueryError reads the body of a failed query's response, the other end of [AppendQueryError]. Numbers among the
// parameters are [json.Number]. A list of errors, as the protocol's description has it, yields its first.
func ParseQueryError(body json.RawMessage) (QueryError, error) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var members queryErrorBody
	if err := json.Unmarshal(body, &members); err != nil {
		return QueryError{}, fmt.Errorf("protocol: not a query error: %w", err)
	}
	e := QueryError{Code: members.Code, Template: members.Template}
	for _, parameter := range members.Parameters {
		value, err := decodeExactly(parameter)
		if err != nil {
			return QueryError{}, fmt.Errorf("protocol: not a query error: %w", err)
		}
		e.Parameters = append(e.Parameters, value)
	}
	return e, nil
}

package protocol_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
)

func decode(t *testing.T, frame string) protocol.Message {
	t.Helper()
	message, err := new(protocol.Decoder).Decode([]byte(frame))
	if err != nil {
		t.Fatalf("Decode(%s): %v", frame, err)
	}
	return message
}

func doc(t *testing.T, text string) protocol.Document {
	t.Helper()
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecodeGoldenMessages(t *testing.T) {
	for frame, want := range map[string]protocol.Message{
		`{"op":"validate","resourceName":"system.credentials","object":"K1x…="}`:                                               &protocol.Validate{Token: "K1x…="},
		`{"op":"authenticate","resourceName":"system.credentials","object":{"username":"u","password":"p"}}`:                   &protocol.Authenticate{Username: "u", Password: "p"},
		`{"op":"connectExtension","resourceName":"sources","resourceId":"EchoSource","parameters":{"reconnectSecret":"5f0c"}}`: &protocol.ConnectExtension{Source: "EchoSource", ReconnectSecret: "5f0c"},
		`{"address":"","messageHeaders":{},"namespaceName":null,"locale":null,"op":"connectExtension","resourceName":"sources","resourceId":"EchoSource","parameters":{"reconnectSecret":"5f0c"},"object":null,"contentType":"application/json; charset=utf-8","responseType":null,"sourceName":"EchoSource"}`:      &protocol.ConnectExtension{Source: "EchoSource", ReconnectSecret: "5f0c"},
		`{"op":"configureExtension","resourceName":"sources","resourceId":"EchoSource","isSystemResource":true,"parameters":{},"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"0b1e6a6e","messageHeaders":{},"object":{"config":{"echoConfig":{"general":{"prefix":"> "}}}}}`: &protocol.ConfigureExtension{Source: "EchoSource", Config: doc(t, `{"echoConfig":{"general":{"prefix":"> "}}}`), HasConfig: true},
		`{"op":"configureExtension","object":{}}`:                                                                                          &protocol.ConfigureExtension{},
		`{"op":"configureExtension","object":{"config":[]}}`:                                                                               &protocol.ConfigureExtension{},
		`{"op":"configureExtension","object":{"config":{},"more":1}}`:                                                                      &protocol.ConfigureExtension{HasConfig: true, Config: doc(t, `{}`)},
		`{"op":"publish","resourceName":"sources","resourceId":"EchoSource","address":"7c9d","object":{"text":"hello"}}`:                   &protocol.Publish{Source: "EchoSource", Message: doc(t, `{"text":"hello"}`)},
		`{"op":"publish","object":{"text":"hello"}}`:                                                                                       &protocol.Publish{Message: doc(t, `{"text":"hello"}`)},
		`{"op":"query","resourceName":"sources","resourceId":"EchoSource","messageHeaders":{"REPLY_ADDR_HEADER":"3f2a"},"object":{"a":3}}`: &protocol.Query{Source: "EchoSource", ReplyAddress: "3f2a", Parameters: doc(t, `{"a":3}`)},
		`{"op":"query","messageHeaders":null,"object":null}`:                                                                               &protocol.Query{},
		`{"op":"notification","resourceName":"sources","resourceId":"EchoSource","object":{"text":"hello","seq":17}}`:                      &protocol.Notification{Source: "EchoSource", Event: doc(t, `{"text":"hello","seq":17}`)},
		`{"op":"reconnectRequired","resourceName":"sources","resourceId":"EchoSource"}`:                                                    &protocol.ReconnectRequired{Source: "EchoSource"},
		`{"op":"somethingNew"}`: &protocol.Unknown{Op: "somethingNew"},
		`{"status":200}`:        &protocol.Response{Status: 200},
		`{"op":null,"status":204,"headers":{"X-Reply-Address":"3f2a"},"body":null}`: &protocol.Response{Status: 204, ReplyAddress: "3f2a"},
		`{"status":100,"headers":{"X-Reply-Address":"3f2a"},"body":[{"n":1}]}`:      &protocol.Response{Status: 100, ReplyAddress: "3f2a", Body: json.RawMessage(`[{"n":1}]`)},
		`{}`: &protocol.Response{},
		`{"\u006fp":"pub\u006cish","resourceId":"S\u00fcd"}`: &protocol.Publish{Source: "Süd"},
		`{"OP":"publish","op":"reconnectRequired"}`:          &protocol.ReconnectRequired{},
	} {
		if got := decode(t, frame); !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%s)\n got %#v\nwant %#v", frame, got, want)
		}
	}
}

func TestDecodeRefusesMalformedFrames(t *testing.T) {
	for frame, want := range map[string]string{
		``:                                "ends too early",
		`[1]`:                             "must be a JSON object",
		`"text"`:                          "must be a JSON object",
		`{"op":"publish","object":{"a":}`: "unexpected '}'",
		`{"op":"publish"}{}`:              "only one JSON value",
		`{"op":5}`:                        "op is a number, not a string",
		`{"status":"200"}`:                "status is a string, not an integer",
		`{"status":2e2}`:                  "status is a number, not an integer",
		`{"op":"publish","object":` + strings.Repeat("[", 2000): "nested deeper than 1000 levels",
	} {
		message, err := new(protocol.Decoder).Decode([]byte(frame))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%.40s) = %v, %v; want an error with %q", frame, message, err, want)
		}
	}
}

func TestDecodeReplacesBytesThatAreNotUTF8(t *testing.T) {
	message := decode(t, "{\"op\":\"publish\",\"object\":{\"a\":\"x\xffy\"}}")
	if got := message.(*protocol.Publish).Message.String(); got != `{"a":"x`+"\uFFFD"+`y"}` {
		t.Errorf("got %s", got)
	}
}

func TestDecodedDocumentsOutliveTheFrame(t *testing.T) {
	frame := []byte(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a1"},"object":{"text":"hello"}}`)
	var decoder protocol.Decoder
	message, err := decoder.Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	query := *message.(*protocol.Query)
	for i := range frame {
		frame[i] = 'x'
	}
	if query.Parameters.String() != `{"text":"hello"}` || query.ReplyAddress != "a1" {
		t.Errorf("the query changed with its frame: %v", query)
	}
}

func TestDecodingAllocatesOnlyWhatItReturns(t *testing.T) {
	publish := []byte(`{"op":"publish","resourceName":"sources","resourceId":"EchoSource","address":"7c9d","messageHeaders":{},"object":{"text":"hello"}}`)
	acknowledgement := []byte(`{"status":200}`)
	var decoder protocol.Decoder
	for name, c := range map[string]struct {
		decode func()
		want   float64
	}{
		"a publish":                 {func() { _, _ = decoder.Decode(publish) }, 1},
		"a publish as it stands":    {func() { _, _ = protocol.DecodePublish(publish) }, 0},
		"whether it is a publish":   {func() { protocol.IsPublish(publish) }, 0},
		"an acknowledgement":        {func() { _, _ = decoder.Decode(acknowledgement) }, 0},
		"whether that is a publish": {func() { protocol.IsPublish(acknowledgement) }, 0},
	} {
		if got := testing.AllocsPerRun(100, c.decode); got > c.want {
			t.Errorf("%s: %v allocations, want %v", name, got, c.want)
		}
	}
}

func TestIsPublishReadsNoFurtherThanTheOperation(t *testing.T) {
	for frame, want := range map[string]bool{
		`{"op":"publish","object":{"a":`:          true,
		`{"object":{"a":1},"op":"publish"`:        true,
		`{"object":{"a":1,"op":"publish"`:         false,
		`{"object":{"op":"publish"},"op":"query"`: false,
		`{"op":null,"object":{}}`:                 false,
		`{"op":["publish"]}`:                      false,
		`["op","publish"]`:                        false,
		`{"status":200}`:                          false,
		``:                                        false,
	} {
		if got := protocol.IsPublish([]byte(frame)); got != want {
			t.Errorf("%s: %v, want %v", frame, got, want)
		}
	}
}

func TestAppendGoldenMessages(t *testing.T) {
	config := doc(t, `{"echoConfig":{"general":{"prefix":"> "}}}`)
	for want, got := range map[string][]byte{
		`{"op":"validate","resourceName":"system.credentials","object":"K1x…="}`:                                                                                           protocol.AppendValidate(nil, "K1x…="),
		`{"op":"connectExtension","resourceName":"sources","resourceId":"EchoSource","parameters":{"reconnectSecret":"EchoSource_5f0c"}}`:                                  protocol.AppendConnectExtension(nil, "EchoSource", "EchoSource_5f0c"),
		`{"op":"configureExtension","resourceName":"sources","resourceId":"EchoSource","object":{"config":{"echoConfig":{"general":{"prefix":"> "}}}}}`:                    protocol.AppendConfigureExtension(nil, "EchoSource", config),
		`{"op":"publish","resourceName":"sources","resourceId":"EchoSource","object":{"text":"hello"}}`:                                                                    protocol.AppendPublish(nil, "EchoSource", doc(t, `{"text":"hello"}`)),
		`{"op":"query","resourceName":"sources","resourceId":"EchoSource","messageHeaders":{"REPLY_ADDR_HEADER":"3f2a"},"object":{"limit":3}}`:                             protocol.AppendQuery(nil, "EchoSource", "3f2a", doc(t, `{"limit":3}`)),
		`{"status":100,"headers":{"X-Reply-Address":"3f2a"},"body":[{"n":1},{"n":2}]}`:                                                                                     protocol.AppendQueryResponse(nil, "3f2a", protocol.CodePartial, json.RawMessage(`[{"n":1},{"n":2}]`)),
		`{"status":204,"headers":{"X-Reply-Address":"3f2a"}}`:                                                                                                              protocol.AppendQueryResponse(nil, "3f2a", protocol.CodeEmpty, nil),
		`{"status":400,"headers":{"X-Reply-Address":"3f2a"},"body":{"messageCode":"echo.badLimit","messageTemplate":"limit must be positive, got {0}","parameters":[-1]}}`: protocol.AppendQueryError(nil, "3f2a", protocol.QueryError{Code: "echo.badLimit", Template: "limit must be positive, got {0}", Parameters: []any{-1}}),
		`{"op":"notification","resourceName":"sources","resourceId":"EchoSource","object":{"text":"hello","seq":17}}`:                                                      protocol.AppendNotification(nil, "EchoSource", json.RawMessage(`{"text":"hello","seq":17}`)),
		`{"status":200}`: protocol.AppendStatus(nil, 200),
		`{"status":401,"contentType":"application/json","body":[{"code":"authFailure","message":"invalid authToken","params":[]}]}`: protocol.AppendStatusError(nil, &protocol.StatusError{Status: 401, Details: []protocol.Detail{{Code: "authFailure", Message: "invalid authToken"}}}),
		`{"op":"reconnectRequired","resourceName":"sources","resourceId":"EchoSource"}`:                                             protocol.AppendReconnectRequired(nil, "EchoSource"),
		`{"op":"reconnectRequired","resourceName":"sources","resourceId":"a\"b\\c\u0001é"}`:                                         protocol.AppendReconnectRequired(nil, "a\"b\\c\x01é"),
	} {
		if string(got) != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

func TestStatusErrorReadsEveryShapeOfBody(t *testing.T) {
	for body, want := range map[string]string{
		``:     "status 401",
		`null`: "status 401",
		`[]`:   "status 401",
		`[{"code":"authFailure","message":"invalid authToken","params":[],"details":"stack"}]`: "status 401: invalid authToken (authFailure)",
		`{"code":"authFailure","message":"invalid authToken"}`:                                 "status 401: invalid authToken (authFailure)",
		`{"message":"invalid authToken"}`:                                                      "status 401: invalid authToken",
		`[{"code":"authFailure"}]`:                                                             "status 401: authFailure",
		`"no"`:                                                                                 "status 401: no",
		`["no",{"message":null,"code":7}]`:                                                     "status 401: no; 7",
		`{"error":"odd"}`:                                                                      `status 401: {"error":"odd"}`,
		`17`:                                                                                   "status 401: 17",
	} {
		response := protocol.Response{Status: 401, Body: json.RawMessage(body)}
		if got := response.Err(); got == nil || got.Error() != want {
			t.Errorf("body %s: %v, want %q", body, got, want)
		}
	}
	huge := protocol.Response{Status: 500, Body: json.RawMessage(`[` + strings.Repeat(`{"message":"`+strings.Repeat("x", 10000)+`"},`, 500) + `{}]`)}
	if got := len(huge.Err().Error()); got > 32<<10 {
		t.Errorf("a huge error body is kept whole: %d bytes", got)
	}
	for _, status := range []int{0, 100, 200, 204, 299} {
		if err := (&protocol.Response{Status: status}).Err(); err != nil {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestReactivatingIsToldByItsPhrase(t *testing.T) {
	refused := protocol.Response{Status: 404, Body: json.RawMessage(`[{"code":"io.vantiq.example","message":"The source EchoSource does not have an associated stream …","params":[]}]`)}
	if !refused.Err().Reactivating() {
		t.Error("the reactivation window was not recognised")
	}
	if (&protocol.StatusError{Status: 404}).Reactivating() {
		t.Error("a bare 404 is not the reactivation window")
	}
}

func TestQueryErrorFormatsItsTemplate(t *testing.T) {
	for _, c := range []struct {
		template   string
		parameters []any
		want       string
	}{
		{"The query: {0} is invalid for sources of type {1}", []any{"hi there", "mysource"}, "The query: hi there is invalid for sources of type mysource"},
		{"{1}{0}{1}", []any{1, "b"}, "b1b"},
		{"{0} and {1}", []any{"{1}", "x"}, "{1} and x"},
		{"{2} {a} {} {-1} { {0", []any{1}, "{2} {a} {} {-1} { {0"},
		{"plain", nil, "plain"},
	} {
		e := protocol.QueryError{Code: "c", Template: c.template, Parameters: c.parameters}
		if got := e.Error(); got != "c: "+c.want {
			t.Errorf("%q %v: %q, want %q", c.template, c.parameters, got, c.want)
		}
	}
}

func TestQueryErrorSurvivesParametersThatCannotBeMarshalled(t *testing.T) {
	frame := protocol.AppendQueryError(nil, "a", protocol.QueryError{Code: "c", Template: "{0}", Parameters: []any{func() {}, 2}})
	response := decode(t, string(frame)).(*protocol.Response)
	e, err := protocol.ParseQueryError(response.Body)
	if err != nil || len(e.Parameters) != 2 || e.Parameters[1] != json.Number("2") {
		t.Errorf("got %v, %v", e, err)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	const token = "K1xSecretToken"
	values := []any{
		protocol.Secret(token), &protocol.Validate{Token: token}, protocol.Authenticate{Password: token},
		protocol.ConnectExtension{Source: "S", ReconnectSecret: token}, []any{protocol.Secret(token)},
	}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if printed := fmt.Sprintf(verb, value); strings.Contains(printed, token) || strings.Contains(strings.ToLower(printed), fmt.Sprintf("%x", token)) {
				t.Errorf("%s of %T shows the secret: %s", verb, value, printed)
			}
		}
		if marshalled, _ := json.Marshal(value); strings.Contains(string(marshalled), token) {
			t.Errorf("%T is marshalled with its secret: %s", value, marshalled)
		}
	}
	said := &protocol.StatusError{Status: 401, Details: []protocol.Detail{{Message: "token " + token + " is bad"}}}
	if text := said.Redact(token).Error(); text != "status 401: token [redacted] is bad" {
		t.Errorf("got %q", text)
	}
}

func TestDocument(t *testing.T) {
	var zero protocol.Document
	if text, err := json.Marshal(zero); err != nil || string(text) != "{}" {
		t.Errorf("the zero document is marshalled as %s, %v", text, err)
	}
	d := doc(t, ` {"id": 9007199254740993, "nested": {"a": [1.50, null]}, "text": "</script>\u0000😀"} `)
	members, err := d.Map()
	if err != nil || members["id"] != json.Number("9007199254740993") {
		t.Errorf("Map() = %v, %v", members, err)
	}
	var typed struct{ ID int64 }
	if err := d.Decode(&typed); err != nil || typed.ID != 9007199254740993 {
		t.Errorf("Decode: %v, %v", typed, err)
	}
	for other, equal := range map[string]bool{
		`{"text":"<\/script>\u0000😀","nested":{"a":[1.50,null]},"id":9007199254740993}`: true,
		`{"text":"</script>\u0000😀","nested":{"a":[1.5,null]},"id":9007199254740993}`:   false,
		`{"text":"</script>\u0000😀","nested":{"a":[1.50,null]},"id":9007199254740992}`:  false,
		`{}`: false,
	} {
		if d.Equal(doc(t, other)) != equal {
			t.Errorf("Equal(%s) should be %v", other, equal)
		}
	}
	if !zero.Equal(doc(t, "{ }")) {
		t.Error("the zero document is not equal to { }")
	}
	for _, bad := range []any{[]int{1}, "text", nil, 5, json.RawMessage(`{"a":}`), func() {}} {
		if _, err := protocol.NewDocument(bad); err == nil {
			t.Errorf("NewDocument(%v) has no error", bad)
		}
	}
}

// Who appends to a document's text must get a text of his own: the line ends of two writers are not the same byte.
func TestAppendingToADocumentIsSafe(t *testing.T) {
	for _, object := range []string{`{"a":1}`, `{"a":"12345678"}`, `{"a":"1234567890123456789012"}`} {
		document, err := protocol.DecodePublish([]byte(`{"op":"publish","object":` + object + `,"messageHeaders":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		one := append(document.Raw(), '1')
		other := append(document.Raw(), '2')
		if one[len(one)-1] != '1' || other[len(other)-1] != '2' {
			t.Errorf("%s: %s and %s", object, one, other)
		}
	}
}

package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// tooDeep reports whether a text may nest deeper than the scanner follows.
func tooDeep(text string) bool { return strings.Count(text, "{")+strings.Count(text, "[") > 900 }

// reference decodes a frame by means of encoding/json.
func reference(frame []byte) (protocol.Message, error) {
	members := membersOf(bytes.ToValidUTF8(frame, []byte("\uFFFD")))
	source, object := textOf(members["resourceId"]), members["object"]
	var op any
	if members["op"] != nil {
		_ = json.Unmarshal(members["op"], &op)
	}
	switch op {
	case nil:
		return referenceResponse(members)
	case protocol.OpPublish:
		return &protocol.Publish{Source: source, Message: referenceDocument(object)}, nil
	case protocol.OpQuery:
		address := textOf(membersOf(members["messageHeaders"])["REPLY_ADDR_HEADER"])
		return &protocol.Query{Source: source, ReplyAddress: protocol.ReplyAddress(address), Parameters: referenceDocument(object)}, nil
	case protocol.OpNotification:
		return &protocol.Notification{Source: source, Event: referenceDocument(object)}, nil
	case protocol.OpConfigureExtension:
		config := membersOf(object)["config"]
		if len(config) == 0 || config[0] != '{' {
			return &protocol.ConfigureExtension{Source: source}, nil
		}
		return &protocol.ConfigureExtension{Source: source, HasConfig: true, Config: referenceDocument(config)}, nil
	case protocol.OpReconnectRequired:
		return &protocol.ReconnectRequired{Source: source}, nil
	case protocol.OpValidate:
		return &protocol.Validate{Token: protocol.Secret(textOf(object))}, nil
	case protocol.OpAuthenticate:
		credentials := membersOf(object)
		return &protocol.Authenticate{Username: textOf(credentials["username"]), Password: protocol.Secret(textOf(credentials["password"]))}, nil
	case protocol.OpConnectExtension:
		secret := textOf(membersOf(members["parameters"])["reconnectSecret"])
		return &protocol.ConnectExtension{Source: source, ReconnectSecret: protocol.Secret(secret)}, nil
	}
	if text, ok := op.(string); ok {
		return &protocol.Unknown{Op: text}, nil
	}
	return nil, errors.New("op is no string")
}

func referenceResponse(members map[string]json.RawMessage) (protocol.Message, error) {
	if members == nil {
		return nil, errors.New("not an object")
	}
	r := &protocol.Response{ReplyAddress: protocol.ReplyAddress(textOf(membersOf(members["headers"])["X-Reply-Address"]))}
	if status := members["status"]; status != nil {
		if err := json.Unmarshal(status, &r.Status); err != nil {
			return nil, err
		}
	}
	if body := members["body"]; string(body) != "null" {
		r.Body = body
	}
	return r, nil
}

// referenceDocument takes a value as it stands, object or not.
func referenceDocument(value json.RawMessage) (d protocol.Document) {
	if value != nil && string(value) != "null" {
		_ = d.UnmarshalJSON(value)
	}
	return d
}

// membersOf returns nil for what is not an object.
func membersOf(text []byte) (members map[string]json.RawMessage) {
	if json.Unmarshal(text, &members) != nil {
		return nil
	}
	return members
}

func textOf(value json.RawMessage) (text string) {
	_ = json.Unmarshal(value, &text)
	return text
}

// FuzzDecode holds the decoder to what encoding/json makes of a frame, twice: a Decoder is used again and again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"op":"publish","resourceId":"S","object":{"text":"hello"}}`, `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"},"object":null}`,
		`{"status":401,"body":[{"code":"c","message":"m"}]}`, `{"op":"configureExtension","object":{"config":{}}}`, `{"op":null,"status":null}`, `[]`,
		`{"op":"configureExtension","object":{"config": 5 }}`, `{"op":"configureExtension"}`, `{"op":"notification","object":[1]}`, `{"op":"reconnectRequired","resourceId":7}`,
		`{"op":"validate","object":"t\u00e9"}`, `{"op":"authenticate","object":{"username":"u","password":"p"}}`, `{"op":"connectExtension","parameters":{"reconnectSecret":"s"}}`,
		`{"op":"new"}`, `{"op":5}`, `{"op":{}}`, `{"\u006fp":"p\u0075blish","object":"` + "\xff" + `"}`, `{"status":"200"}`, `{"status":2e2}`, `{"status":-0}`,
		`{"status":100,"headers":{"X-Reply-Address":"a"},"body":null}`, `{"headers":[],"body":"x"}`, `{"status":500,"body":{"code":5,"message":null}}`, `{"status":500,"body":[]}`, `{"status":500,"body":[[1],"x",{}]}`,
		`{"status":400,"body":{"messageCode":"c","messageTemplate":"{0}{1}{x","parameters":["p"]}}`, `{"status":400,"body":[{"messageCode":"c"}]}`,
		`{"op":"publish","op":"query","object":1,"object":2}`, `{"op":"publish","object":`, "", "null",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if tooDeep(string(frame)) {
			t.Skip()
		}
		var decoder protocol.Decoder
		for range 2 {
			got, err := decoder.Decode(frame)
			if protocol.IsPublish(frame) {
				comparePublish(t, frame, got, err)
			}
			want, wantErr := reference(frame)
			if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("%q\n got %#v, %v\nwant %#v, %v", frame, got, err, want, wantErr)
			}
			if r, ok := got.(*protocol.Response); ok && err == nil {
				if failed := r.Err(); (failed != nil) != (r.Status >= 300) || failed != nil && (failed.Error() == "" || !utf8.ValidString(failed.Error())) {
					t.Fatalf("%q: error %v", frame, failed)
				}
				if e, err := protocol.ParseQueryError(r.Body); err == nil {
					_ = e.Error()
				}
			}
		}
	})
}

// comparePublish holds DecodePublish to what a Decoder made of the same frame.
func comparePublish(t *testing.T, frame []byte, message protocol.Message, failed error) {
	t.Helper()
	document, err := protocol.DecodePublish(frame)
	publish, ok := message.(*protocol.Publish)
	if (err == nil) != (failed == nil && ok) || err == nil && !reflect.DeepEqual(document, publish.Message) {
		t.Fatalf("%q\nDecode        %v, %v\nDecodePublish %v, %v", frame, message, failed, document, err)
	}
}

// FuzzMessages encodes messages and decodes them again.
func FuzzMessages(f *testing.F) {
	f.Add("EchoSource", "3f2a", `{"a":1}`, 200)
	f.Add("jp.example.Süd", "\u0000\"\\</script>\u2028", ` {"n":9007199254740993, "s":"\ud800"} `, -5)
	f.Add("", "", "[]", 404)
	f.Fuzz(func(t *testing.T, source, text, object string, status int) {
		if !utf8.ValidString(source) || !utf8.ValidString(text) || tooDeep(object) {
			t.Skip()
		}
		document, err := protocol.NewDocument(json.RawMessage(object))
		if err != nil {
			document, _ = protocol.NewDocument(struct{}{})
		}
		address, secret := protocol.ReplyAddress(text), protocol.Secret(text)
		var decoder protocol.Decoder
		back := func(frame []byte) protocol.Message {
			t.Helper()
			message, err := decoder.Decode(frame)
			if err != nil || !json.Valid(frame) {
				t.Fatalf("%q: %v", frame, err)
			}
			return message
		}
		same := func(frame []byte, want protocol.Message) {
			t.Helper()
			if got := back(frame); !reflect.DeepEqual(got, want) {
				t.Fatalf("%q\n got %#v\nwant %#v", frame, got, want)
			}
		}
		same(protocol.AppendValidate(nil, secret), &protocol.Validate{Token: secret})
		same(protocol.AppendConnectExtension(nil, source, secret), &protocol.ConnectExtension{Source: source, ReconnectSecret: secret})
		same(protocol.AppendNotification(nil, source, document.Raw()), &protocol.Notification{Source: source, Event: document})
		same(protocol.AppendConfigureExtension(nil, source, document), &protocol.ConfigureExtension{Source: source, Config: document, HasConfig: true})
		same(protocol.AppendPublish(nil, source, document), &protocol.Publish{Source: source, Message: document})
		same(protocol.AppendQuery(nil, source, address, document), &protocol.Query{Source: source, ReplyAddress: address, Parameters: document})
		same(protocol.AppendReconnectRequired(nil, source), &protocol.ReconnectRequired{Source: source})
		same(protocol.AppendStatus(nil, status), &protocol.Response{Status: status})
		same(protocol.AppendQueryResponse(nil, address, status, document.Raw()), &protocol.Response{Status: status, ReplyAddress: address, Body: document.Raw()})
		same(protocol.AppendQueryResponse(nil, address, status, nil), &protocol.Response{Status: status, ReplyAddress: address})

		failed := protocol.QueryError{Code: text, Template: source, Parameters: []any{text, nil}}
		answer := back(protocol.AppendQueryError(nil, address, failed)).(*protocol.Response)
		if got, err := protocol.ParseQueryError(answer.Body); err != nil || !reflect.DeepEqual(got, failed) || answer.Status != 400 {
			t.Fatalf("%+v came back as %+v, %v", failed, got, err)
		}
		if len(text) > 0 && len(text)+len(source) < 2000 && status >= 300 {
			refused := &protocol.StatusError{Status: status, Details: []protocol.Detail{{Code: text, Message: source}}}
			if got := back(protocol.AppendStatusError(nil, refused)).(*protocol.Response).Err(); !reflect.DeepEqual(got, refused) {
				t.Fatalf("%+v came back as %+v", refused, got)
			}
		}
	})
}

// FuzzDocument holds documents to encoding/json.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{`{}`, ` {"a":[1,2.50,-0,1E400,null,true],"b":{"a":"\ud800"}} `, `{"a":1,"a":2}`, `[]`, `null`, "", `{"a":"` + "\xff" + `"}`, `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if tooDeep(string(text)) {
			t.Skip()
		}
		document, err := protocol.NewDocument(json.RawMessage(text))
		if valid := membersOf(text) != nil; valid != (err == nil) {
			t.Fatalf("%q is an object: %t, and became %v, %v", text, valid, document, err)
		}
		if err != nil {
			return
		}
		raw := document.Raw()
		if again, err := protocol.NewDocument(raw); err != nil || !bytes.Equal(again.Raw(), raw) || !utf8.Valid(raw) {
			t.Fatalf("%q became %q, and that %q, %v", text, raw, again.Raw(), err)
		}
		got, err := document.Map()
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		want := map[string]any{}
		if wantErr := decoder.Decode(&want); err != nil || wantErr != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: members %v, %v, want %v, %v", text, got, err, want, wantErr)
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, raw, "\t", "  "); err != nil {
			t.Fatal(err)
		}
		want["one more"] = nil
		more, err := protocol.NewDocument(want)
		if err != nil {
			t.Fatal(err)
		}
		if wide, err := protocol.NewDocument(json.RawMessage(spaced.Bytes())); err != nil || !wide.Equal(document) || more.Equal(document) && got["one more"] != nil {
			t.Fatalf("%q: equality counts spaces, or not every member", text)
		}
	})
}

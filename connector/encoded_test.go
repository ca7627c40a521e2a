package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
)

// What a connector vouches for arrives as it is.
func TestEncodedIsSentAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		rows := connector.Encoded(`[{"a": 1}, {"a":2}]`)
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, rows)
		}))
		b.must(b.conn.SendNotification(b.soon(), connector.Encoded(`{"n": 1e2, "text":"\u00e9"}`)))
		b.must(b.conn.Flush(b.soon()))
		if got := b.source.Notifications(); len(got) != 1 || got[0].String() != `{"n": 1e2, "text":"\u00e9"}` {
			t.Errorf("%s arrived", got)
		}
		if got, err := b.source.Query(b.soon(), nil); err != nil || len(got) != 2 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// It is not looked at, but what is plainly wrong is an error, and nothing panics.
func TestWhatIsPlainlyNotEncodedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var answer connector.Encoded
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, answer)
		}))
		for _, text := range []string{"", " ", "[", "[ ", "[1]", "null", `"text"`, "}", "[" + strings.Repeat("x", 300_000)} {
			if err := b.conn.SendNotification(b.soon(), connector.Encoded(text)); err == nil {
				t.Errorf("%.20q was accepted", text)
			}
			if answer = connector.Encoded(text); text == "null" {
				continue // no rows
			}
			var failed connector.QueryError
			if _, err := b.source.Query(b.soon(), nil); !errors.As(err, &failed) || failed.Code != connector.CodeHandlerError {
				t.Errorf("%.20q was the answer to a query: %v", text, err)
			}
		}
		if err := b.conn.SendNotification(b.soon(), connector.Encoded(`{"pad":"`+strings.Repeat("x", 300_000)+`"}`)); !errors.Is(err, connector.ErrTooLarge) {
			t.Errorf("300 kB: %v", err)
		}
		text, err := json.Marshal(map[string]any{"a": connector.Encoded(`{"b":1}`)})
		if err != nil || string(text) != `{"a":{"b":1}}` {
			t.Errorf("inside of another value: %s, %v", text, err)
		}
	})
}

// Rows that cannot be split must not be left out silently.
func TestRowsOfABrokenEncodedAreNotLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		row := string(padded(150_000))
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, connector.Encoded("["+row+","+row+",oops,"+row+"]"))
		}))
		if rows, err := b.source.Query(b.soon(), nil); err == nil {
			t.Errorf("%d rows of 3 were the complete answer", len(rows))
		}
	})
}

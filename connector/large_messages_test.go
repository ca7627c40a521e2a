package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A largeBench also says what has come over it.
type largeBench struct {
	*bench
	published         chan connector.Document
	partials, refused atomic.Int64 // messages that the server has received
}

// next returns the next message that was handled.
func (b *largeBench) next() (message connector.Document) {
	b.t.Helper()
	select {
	case message = <-b.published:
	case <-b.soon().Done():
		b.t.Fatalf("no message was handled: %+v", b.conn.Stats())
	}
	return message
}

// Messages beyond the size that a server takes, or that other SDKs take, with the default limits of both sides. A link
// that were closed because of one would meet the same message again.
func TestLargeMessages(t *testing.T) {
	const kib = 1 << 10
	pad := func(size int) object { return object{"pad": strings.Repeat("x", size)} }
	for name, test := range map[string]func(t *testing.T, b *largeBench){
		"a result of 300 KiB in one list": func(t *testing.T, b *largeBench) {
			rows, err := b.source.Query(b.soon(), object{"list": 300})
			b.must(err)
			synctest.Wait() // for the observer
			if len(rows) != 300 || rows[299].String() != rows[0].String() || len(rows[0].Raw()) < kib || b.partials.Load() != 1 {
				t.Errorf("%d rows came, in %d chunks and the end", len(rows), b.partials.Load())
			}
		},
		"a result of 300 KiB as rows": func(t *testing.T, b *largeBench) {
			rows, err := b.source.Query(b.soon(), object{"rows": 300})
			b.must(err)
			synctest.Wait() // for the observer
			if len(rows) != 300 || b.partials.Load() != 1 {
				t.Errorf("%d rows came, in %d chunks and the end", len(rows), b.partials.Load())
			}
		},
		"a single row of 300 KiB": func(t *testing.T, b *largeBench) {
			_, err := b.source.Query(b.soon(), object{"row": 300 * kib})
			if e := queryError(t, err); e.Code != connector.CodeTooLarge || !strings.Contains(e.Message(), "262144") {
				t.Errorf("the query got %v", e)
			}
		},
		"a publish of 5 MiB": func(t *testing.T, b *largeBench) {
			b.must(b.source.Publish(b.soon(), pad(5<<20)))
			if got := b.next(); len(got.Raw()) != 5<<20+len(`{"pad":""}`) {
				t.Errorf("%d bytes came", len(got.Raw()))
			}
		},
		"a publish of 17 MiB": func(t *testing.T, b *largeBench) {
			b.must(b.source.Publish(b.soon(), pad(17<<20)))
			b.must(b.source.Publish(b.soon(), object{"n": 1}))
			if got := b.next(); got.String() != `{"n":1}` {
				t.Errorf("instead of what came behind it, %.40s was handled", got)
			}
		},
		"a query of 17 MiB": func(t *testing.T, b *largeBench) {
			_, err := b.source.Query(b.soon(), pad(17<<20))
			if e := queryError(t, err); e.Code != connector.CodeTooLarge || !strings.Contains(e.Message(), fmt.Sprint(16<<20)) {
				t.Errorf("the query got %v", e)
			}
		},
		"a notification of 300 KiB": func(t *testing.T, b *largeBench) {
			err := b.conn.SendNotification(b.soon(), pad(300*kib))
			if !errors.Is(err, connector.ErrTooLarge) {
				t.Fatal(err)
			}
			for _, want := range []string{"EchoSource", "262144", "MaxOutbound"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %s", err, want)
				}
			}
			b.must(b.conn.SendNotification(b.soon(), object{"n": 1}))
			b.must(b.conn.Flush(b.soon()))
			if events := b.source.Notifications(); len(events) != 1 || events[0].String() != `{"n":1}` {
				t.Errorf("%d notifications came", len(events))
			}
			if s := b.conn.Stats(); s.Accepted != 1 {
				t.Errorf("stats %+v", s)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &largeBench{published: make(chan connector.Document, 2)}
				b.bench = setUp(t, nil, connector.Options{}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
					switch e.Kind {
					case vantiqtest.PartialReceived:
						b.partials.Add(1)
					case vantiqtest.TooLargeReceived:
						b.refused.Add(1)
					}
				}))
				b.connect(connector.Handlers{
					Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
						b.published <- message
						return nil
					},
					Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
						var parameters struct{ List, Rows, Row int }
						if err := q.Decode(&parameters); err != nil {
							return err
						}
						switch {
						case parameters.List > 0:
							var list []object
							for range parameters.List {
								list = append(list, pad(kib))
							}
							return q.Complete(ctx, list)
						case parameters.Rows > 0:
							return connector.Rows(ctx, q, func(yield func(object, error) bool) {
								for range parameters.Rows {
									if !yield(pad(kib), nil) {
										return
									}
								}
							})
						}
						return q.Complete(ctx, json.RawMessage(`{"pad":"`+strings.Repeat("x", parameters.Row)+`"}`))
					},
				})
				test(t, b)
				synctest.Wait()
				if s := b.conn.Stats(); s.Reconnects != 0 || s.LastError != "" || b.refused.Load() != 0 || len(b.server.Dials()) != 1 {
					t.Errorf("%d messages were too large for the server; stats %+v", b.refused.Load(), s)
				}
			})
		})
	}
}

package main

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/vantiq-go/connectorsdk/connectortest"
)

// Fifty sources of one process have a database and positions of their own, and a changed configuration counts at once.
func TestManySources(t *testing.T) {
	const sources = 50
	config := func(customer string) document {
		return document{"sqlConfig": document{
			"statements": document{"insert": "insert into orders (customer, amount) values ('" + customer + "', 1)"},
			"polls":      []any{document{"name": "new", "every": "50ms", "key": "id", "start": 3, "sql": "select id, customer from orders where id > $1 order by id"}},
		}}
	}
	var opts []connectortest.Option
	for n := range sources {
		opts = append(opts, connectortest.WithSource(fmt.Sprint("Source/", n), config(fmt.Sprint("first of ", n))))
	}
	running := connectortest.Start(t, newConnector(t.TempDir(), slog.New(slog.DiscardHandler)).handlers(), opts...)
	each := func(do func(n int)) {
		for n := range sources {
			do(n)
		}
	}
	each(func(n int) { send(t, running.Source(fmt.Sprint("Source/", n)), document{"name": "insert"}) })
	each(func(n int) {
		notified(t, running.Source(fmt.Sprint("Source/", n)), fmt.Sprintf(`{"poll":"new","row":{"id":4,"customer":"first of %d"}}`, n))
	})
	each(func(n int) {
		if err := running.Connection(fmt.Sprint("Source/", n)).Flush(t.Context()); err != nil { // or it may come again
			t.Fatal(err)
		}
		running.Source(fmt.Sprint("Source/", n)).Reconfigure(config(fmt.Sprint("second of ", n)))
	})
	each(func(n int) {
		source := running.Source(fmt.Sprint("Source/", n))
		if err := source.WaitSession(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		send(t, source, document{"name": "insert"})
		notified(t, source, fmt.Sprintf(`{"poll":"new","row":{"id":5,"customer":"second of %d"}}`, n))
	})
}

package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var (
	kills  = flag.Int("kills", 8, "how often the connector is killed")
	drops  = flag.Int("drops", 8, "how often the link is dropped")
	stops  = flag.Int("stops", 2, "how often the database is stopped and started")
	strain = flag.Uint64("seed", 0, "of the kill test; 0: another one each time")
)

// Rows are inserted steadily, while the connector is killed, links are dropped and the database is stopped, at random: every
// row arrives, and in the order of the keys once what came twice is left out.
func TestKillsLoseNoRow(t *testing.T) {
	seed := *strain
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	pg := withPostgres(t)
	pg.table(t, "steady", "id bigint primary key, at timestamptz default now()")
	server := vantiqtest.NewServer()
	t.Cleanup(server.Close)
	source := server.Source("SqlSource", document{"sqlConfig": document{"general": document{"url": pg.url}, "polls": []any{
		document{"name": "n", "every": "100ms", "key": "id", "start": 0, "sql": "select * from steady where id > $1 order by id limit 100"},
	}}})
	source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Delay: 2 * time.Millisecond, Times: -1}) // so that some are always under way
	arrived := make(chan int, 1<<20)
	source.HandleNotifications(func(event protocol.Document) { arrived <- rowID(event.Raw()) })

	load := startLoad(t, pg)
	p := newProcess(t, server)
	p.start()
	last, duplicates := 0, 0
	take := func(id int) {
		switch {
		case id == last+1:
			last++
		case id <= last:
			duplicates++
		default:
			t.Fatalf("row %d came behind row %d", id, last)
		}
	}
	faults := shuffled(random, map[string]int{"kill": *kills, "drop": *drops, "stop": *stops})
	for _, fault := range faults {
		for goal := last + random.IntN(40); last < goal; { // now and then before anything has come
			take(<-arrived)
		}
		pause := time.NewTimer(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
		for waiting := true; waiting; {
			select {
			case id := <-arrived:
				take(id)
			case <-pause.C:
				waiting = false
			}
		}
		switch fault {
		case "kill":
			p.kill()
			p.start()
		case "drop":
			source.Drop([]vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, 1001, 1012}[random.IntN(4)])
		case "stop":
			load.pause()
			pg.stop()
			pg.restart(t)
			load.resume()
		}
	}
	inserted := load.stop()
	for last < inserted {
		take(<-arrived)
	}
	t.Logf("%d rows, %d of them came again, %d faults", inserted, duplicates, len(faults))
	p.terminate()
}

func shuffled(random *rand.Rand, faults map[string]int) (all []string) {
	for _, fault := range []string{"kill", "drop", "stop"} {
		for range faults[fault] {
			all = append(all, fault)
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// A load inserts rows with ascending ids, a few hundred a second, one after the other.
type load struct {
	t     *testing.T
	pg    *postgresServer
	next  int
	end   context.CancelFunc
	ended chan struct{}
}

func startLoad(t *testing.T, pg *postgresServer) *load {
	l := &load{t: t, pg: pg, next: 1}
	l.resume()
	return l
}

func (l *load) resume() {
	conn := l.pg.connect(l.t)
	ctx, cancel := context.WithCancel(l.t.Context())
	l.end, l.ended = cancel, make(chan struct{})
	go func() {
		defer close(l.ended)
		defer func() { _ = conn.Close(context.Background()) }()
		for ctx.Err() == nil {
			if _, err := conn.Exec(l.t.Context(), "insert into steady (id) values ($1)", l.next); err != nil {
				l.t.Error(err)
				return
			}
			l.next++
			if _, err := conn.Exec(l.t.Context(), "select pg_sleep(0.002)"); err != nil {
				l.t.Error(err)
				return
			}
		}
	}()
}

func (l *load) pause() {
	l.end()
	<-l.ended
}

// stop ends the load and returns how many rows it has inserted.
func (l *load) stop() int {
	l.pause()
	return l.next - 1
}

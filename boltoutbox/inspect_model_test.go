package boltoutbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/vantiq-go/connectorsdk/connector"
)

// Whatever bbolt writes in the life of an outbox is no damage, at any size of a page.
func TestNothingThatBoltWritesIsDamage(t *testing.T) {
	for _, pageSize := range []int{1024, 4096, 16 << 10, 64 << 10} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("page size %d, seed %d", pageSize, seed), func(t *testing.T) {
				liveRandomly(t, pageSize, rand.New(rand.NewPCG(seed, uint64(pageSize))))
			})
		}
	}
}

func liveRandomly(t *testing.T, pageSize int, random *rand.Rand) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: pageSize, NoSync: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(format); return err }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	sources := 1 + random.IntN(300)
	live := map[string][]uint64{}
	biggest := []int{40, 600, 5000, 40_000, 262_000}[random.IntN(5)]
	var o *Outbox
	queues := map[string]connector.OutboxQueue{}
	for step := range 60 {
		if o == nil || random.IntN(15) == 0 {
			if o != nil {
				if err := o.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if o, err = Open(path, Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
				t.Fatal(err)
			}
			queues = map[string]connector.OutboxQueue{}
		}
		for range 1 + random.IntN(40) {
			source := fmt.Sprintf("%0*d", 1+random.IntN(3), random.IntN(sources))
			q := queues[source]
			if q == nil {
				if q, err = o.Open(source); err != nil {
					t.Fatal(err)
				}
				queues[source] = q
			}
			if held := live[source]; len(held) > 0 && random.IntN(3) == 0 {
				n := 1 + random.IntN(len(held))
				if random.IntN(2) == 0 {
					n = len(held)
				}
				if err := q.Remove(held[n-1]); err != nil {
					t.Fatal(err)
				}
				live[source] = held[n:]
				continue
			}
			seq, err := q.Append(bytes.Repeat([]byte{'x'}, random.IntN(biggest)))
			if err != nil {
				t.Fatal(err)
			}
			live[source] = append(live[source], seq)
		}
		if random.IntN(4) == 0 { // all of some are gone: the tree shrinks
			for source, held := range live {
				if q := queues[source]; q != nil && len(held) > 0 && random.IntN(3) > 0 {
					_ = q.Remove(held[len(held)-1])
					live[source] = nil
				}
			}
		}
		quiesce(o)
		checkBoth(t, o, path, step)
	}
	for source, held := range live {
		q := queues[source]
		if q == nil {
			if q, err = o.Open(source); err != nil {
				t.Fatal(err)
			}
		}
		entries := make([]connector.OutboxEntry, len(held)+10)
		n, err := q.Read(0, entries, 1<<30)
		if err != nil || n < len(held) {
			t.Fatalf("%s: %d of %d, %v", source, n, len(held), err)
		}
		for i, e := range entries[n-len(held) : n] {
			if e.Seq != held[i] {
				t.Fatalf("%s: %d instead of %d", source, e.Seq, held[i])
			}
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

func quiesce(o *Outbox) {
	for {
		o.mu.Lock()
		o.commit()
		committing := o.committing
		o.mu.Unlock()
		if committing == nil {
			return
		}
		<-committing
	}
}

func checkBoth(t *testing.T, o *Outbox, path string, step int) {
	t.Helper()
	damage, err := inspect(path)
	if err != nil || len(damage) > 0 {
		t.Fatalf("step %d: %v %v", step, damage, err)
	}
	if err := o.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("step %d: bbolt: %v", step, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

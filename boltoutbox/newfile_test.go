package boltoutbox

import (
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// Either meta page of a new file, and of one that has replaced a damaged one, may be damaged.
func TestANewFileSurvivesTheLossOfAMetaPage(t *testing.T) {
	for _, fill := range []int{0, 3} {
		for meta := range 2 {
			path := filepath.Join(t.TempDir(), "outbox.db")

			err := create(path, func(b *bolt.Bucket) error {
				for n := range fill {
					key := encodeKey(keyPrefix("Orders"), uint64(n+1))
					if err := b.Put(key, encodeValue(key, 0, []byte("{}"))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[meta*os.Getpagesize()+pageHeaderSize+metaSize-1] ^= 1
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := Open(path, Options{NoSync: true})
			if err != nil {
				t.Errorf("%d notifications, page %d: %v", fill, meta, err)
				continue
			}
			q, err := o.Open("Orders")
			if err != nil {
				t.Fatal(err)
			}
			if n, _, _ := q.Left(); n != fill {
				t.Errorf("%d of %d, page %d", n, fill, meta)
			}
			_ = o.Close()
		}
	}
}

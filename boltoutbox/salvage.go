package boltoutbox

import (
	"os"
)

// salvage calls use with every intact notification in the outbox at path, in whatever page it is found, unless a later one
// says that it was delivered. A notification may come twice.
func salvage(path string, use func(key, value []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	i := &inspector{file: file, size: info.Size()}
	if _, err := i.readMeta(); err != nil {
		return err
	}
	delivered := map[string]uint64{}
	i.leftovers(func(s stored, _, _ []byte) {
		delivered[s.source] = max(delivered[s.source], s.delivered)
	})
	i.leftovers(func(s stored, key, value []byte) {
		if s.seq > delivered[s.source] && err == nil {
			err = use(key, value)
		}
	})
	return err
}

// salvageable reports whether there is any intact notification in the file.
func (i *inspector) salvageable() (found bool) {
	i.leftovers(func(stored, []byte, []byte) { found = true })
	return found
}

// leftovers goes through all leaf pages, whether the tree leads to them or not: what a page is lost for that leads to
// others, and also what was removed long ago.
func (i *inspector) leftovers(each func(s stored, key, value []byte)) {
	raw := &inspector{file: i.file, size: i.size, meta: i.meta}
	raw.meta.pages = uint64(i.size)/i.meta.pageSize + 1 //nolint:gosec // a size is not negative
	notification := func(_ uint32, key, value []byte) {
		if s, err := decode(key, value); err == nil {
			each(s, key, value)
		}
	}
	for id := uint64(2); id < raw.meta.pages; id++ {
		raw.seen = map[uint64]bool{}
		p, err := raw.page(id)
		if err != nil || p.flags != leafPage {
			continue
		}
		raw.leaf(p, bounds{}, func(flags uint32, key, value []byte) {
			if flags == bucketElement && len(value) > bucketHeaderSize && native.Uint64(value) == 0 {
				raw.bucket(value, notification)
			}
			notification(flags, key, value)
		})
	}
}

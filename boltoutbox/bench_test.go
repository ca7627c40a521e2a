package boltoutbox_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
)

// BenchmarkAppend stores notifications of 200 bytes durably, and removes them, with that many senders at a time.
func BenchmarkAppend(b *testing.B) {
	event := json.RawMessage(fmt.Sprintf(`{"pad":%q}`, strings.Repeat("x", 190)))
	for _, noSync := range []bool{false, true} {
		for _, senders := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("noSync=%t/senders=%d", noSync, senders), func(b *testing.B) {
				outbox, err := boltoutbox.Open(filepath.Join(b.TempDir(), "outbox.db"), boltoutbox.Options{NoSync: noSync})
				if err != nil {
					b.Fatal(err)
				}
				defer outbox.Close() //nolint:errcheck // measured
				q, err := outbox.Open("Orders")
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				var all sync.WaitGroup
				for s := range senders {
					all.Go(func() {
						for n := s; n < b.N; n += senders {
							seq, err := q.Append(event)
							if err != nil {
								b.Error(err)
							}
							if n%64 == 0 && seq > 1000 {
								_ = q.Remove(seq - 1000)
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notifications/s")
			})
		}
	}
}

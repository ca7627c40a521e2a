package record_test

import (
	"encoding/json"
	"testing"

	"github.com/vantiq-go/connectorsdk/bench/internal/record"
)

func TestARecordHasTheSizeThatWasAskedFor(t *testing.T) {
	for _, size := range []int{180, 200, 201, 240, 241, 2048, 64 << 10} {
		text := record.Encode(record.New(size))
		if len(text) != size {
			t.Errorf("%d bytes, want %d: %.300s", len(text), size, text)
		}
		if again := record.Encode(record.New(size)); string(again) != string(text) {
			t.Errorf("%d: %s, and then %s", size, text, again)
		}
		var r record.Record
		if err := json.Unmarshal(text, &r); err != nil || len(r.Note) > 80 || size > 500 && len(r.Readings) < size/60 {
			t.Errorf("%d: %d readings, and a note of %d bytes (%v)", size, len(r.Readings), len(r.Note), err)
		}
	}
}

package connector_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A timedBatch is a batch and when it came, from the start of the test on.
type timedBatch struct {
	elements string
	at       time.Duration
}

// batched returns the batches of what fill puts into a channel, in virtual time.
func batched(t *testing.T, b connector.Batches[string], fill func(put func(string))) (batches []timedBatch) {
	t.Helper()
	b.Size = func(s string) int { return len(s) }
	began, in := time.Now(), make(chan string)
	go func() {
		defer close(in)
		fill(func(s string) { in <- s })
	}()
	for batch := range b.From(t.Context(), in) {
		batches = append(batches, timedBatch{strings.Join(batch, " "), time.Since(began)})
	}
	return batches
}

func TestBatchesAreBoundedByCountBytesAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := batched(t, connector.Batches[string]{Count: 3, Bytes: 10, Delay: time.Second}, func(put func(string)) {
			for _, s := range []string{"a", "b", "c", "d"} { // a full one, and d waits for others
				put(s)
			}
			pass(600 * time.Millisecond)
			put("e")
			pass(600 * time.Millisecond) // d has waited long enough
			put("12345678")
			put("123") // does not fit behind it
			put("12345678901")
			put("1234567")
			put("890") // fits exactly, so that nothing more can
			pass(10 * time.Second)
			put("z")
		})
		want := []timedBatch{
			{"a b c", 0},
			{"d e", time.Second},
			{"12345678", 1200 * time.Millisecond},
			{"123", 1200 * time.Millisecond},
			{"12345678901", 1200 * time.Millisecond}, // larger than a batch may be: alone
			{"1234567 890", 1200 * time.Millisecond},
			{"z", 11200 * time.Millisecond}, // the channel was closed
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestBatchesWithoutLimitWaitForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := batched(t, connector.Batches[string]{}, func(put func(string)) {
			put("a")
			pass(time.Hour)
			put("b")
		})
		if len(got) != 1 || got[0].elements != "a b" {
			t.Errorf("got %v", got)
		}
	})
}

func TestBatchesEndWithTheirContextAndTheirLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in := make(chan int, 10)
		in <- 1
		time.AfterFunc(time.Second, cancel)
		for batch := range (connector.Batches[int]{Count: 2}).From(ctx, in) {
			t.Errorf("got %v, which is not complete", batch)
		}
		in <- 2
		in <- 3
		in <- 4
		for batch := range (connector.Batches[int]{Count: 2}).From(t.Context(), in) {
			if !slices.Equal(batch, []int{2, 3}) {
				t.Errorf("got %v", batch)
			}
			break
		}
		if left := len(in); left != 1 {
			t.Errorf("%d are left, and one was not asked for", left)
		}
	})
}

// Whatever the limits: everything comes, once, in order, and no batch is larger than allowed.
func TestBatchesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := connector.Batches[string]{
			Count: rapid.IntRange(0, 5).Draw(t, "Count"),
			Bytes: rapid.IntRange(0, 20).Draw(t, "Bytes"),
			Size:  func(s string) int { return len(s) },
		}
		elements := rapid.SliceOf(rapid.StringMatching(`x{0,12}`)).Draw(t, "elements")
		in := make(chan string, len(elements))
		for _, element := range elements {
			in <- element
		}
		close(in)
		var got []string
		for batch := range b.From(context.Background(), in) {
			bytes := len(strings.Join(batch, ""))
			if len(batch) == 0 || b.Count > 0 && len(batch) > b.Count || b.Bytes > 0 && bytes > b.Bytes && len(batch) > 1 {
				t.Fatalf("a batch of %d, %d bytes", len(batch), bytes)
			}
			got = append(got, batch...)
		}
		if !slices.Equal(got, elements) {
			t.Fatalf("got %q, want %q", got, elements)
		}
	})
}

func TestBatchesOfASequence(t *testing.T) {
	fetched := ""
	away := errors.New("the table is gone")
	elements := func(yield func(string, error) bool) {
		for _, s := range []string{"a", "b", "c", "d", "12345678", "123", "12345678901", "1234567", "890", "e"} {
			fetched += s + " "
			if !yield(s, nil) {
				return
			}
		}
		yield("f", away)
	}
	b := connector.Batches[string]{Count: 3, Bytes: 10, Delay: time.Nanosecond, Size: func(s string) int { return len(s) }}
	var got []string
	for batch, err := range b.Of(elements) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		if got = append(got, strings.Join(batch, " ")); len(got) == 1 && fetched != "a b c " {
			t.Errorf("fetched before the first batch: %s", fetched)
		}
	}
	if want := []string{"a b c", "d 12345678", "123", "12345678901", "1234567 890", "e", away.Error()}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	fetched = ""
	for _, err := range b.Of(elements) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if fetched != "a b c " {
		t.Errorf("fetched for a loop that ended: %s", fetched)
	}
	for batch, err := range b.Of(func(func(string, error) bool) {}) {
		t.Errorf("a batch of nothing: %v, %v", batch, err)
	}
}

func TestABatchIsTheReadersToKeep(t *testing.T) {
	in := make(chan int, 4)
	for n := range 4 {
		in <- n
	}
	close(in)
	var kept [][]int
	for batch := range (connector.Batches[int]{Count: 2}).From(t.Context(), in) {
		kept = append(kept, batch)
	}
	if len(kept) != 2 || !slices.Equal(kept[0], []int{0, 1}) || !slices.Equal(kept[1], []int{2, 3}) {
		t.Errorf("kept %v", kept)
	}
}

func TestBatchesMeasureTheJSONOfTheirElements(t *testing.T) {
	elements := func(yield func(any, error) bool) {
		for _, element := range []any{"12345678", 1, map[string]int{"a": 1}, func() {}} { // 10, 1, 7 and no bytes
			if !yield(element, nil) {
				return
			}
		}
	}
	var got []int
	for batch, err := range (connector.Batches[any]{Bytes: 12}).Of(elements) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, len(batch))
	}
	if !slices.Equal(got, []int{2, 2}) {
		t.Errorf("batches of %v elements", got)
	}
}

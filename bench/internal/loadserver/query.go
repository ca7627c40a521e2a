package loadserver

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// replyAddress looks like those of a Vantiq server. Its last two groups are the slot of the query and its number.
const (
	replyAddress = "7f3c2f6e-52a1-4b0e-0000-000000000000"
	slotAt       = 19
	numberAt     = 24
)

// Queries are kept outstanding: each answer is followed by the next query of its slot.
type queries struct {
	*mark
	addressAt int // in the frame

	mu      sync.Mutex
	frame   []byte // of a query; only the reply address changes
	number  uint64
	slots   []slot
	counts  bool
	begins  time.Time
	answers []time.Duration // how long they took
}

type slot struct {
	number uint64
	sent   time.Time
}

func newQueries(j job.Job) *queries {
	headers := `{"REPLY_ADDR_HEADER":"` + replyAddress + `"}`
	query := frame(operation("query", job.SourceName(0), headers, []byte(`{"machine":"machine-000017","limit":1}`)))
	return &queries{mark: newMark(), frame: query, addressAt: bytes.Index(query, []byte(replyAddress)), slots: make([]slot, j.Outstanding)}
}

func (q *queries) start(l *link) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var first []byte
	for i := range q.slots {
		first = append(first, q.next(i, time.Now())...)
	}
	return l.write(first)
}

// next returns the next query of a slot.
func (q *queries) next(i int, now time.Time) []byte {
	q.number++
	q.slots[i] = slot{q.number, now}
	address := q.frame[q.addressAt:][:len(replyAddress)]
	hex(address[slotAt:slotAt+4], uint64(i))
	hex(address[numberAt:], q.number)
	return q.frame
}

// hex writes a number over all of b.
func hex(b []byte, n uint64) {
	for i := range slices.Backward(b) {
		b[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

func (q *queries) message(l *link, message []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, err := q.answered(message)
	if err != nil {
		return err
	}
	if q.counts {
		q.answers = append(q.answers, l.arrived.Sub(q.slots[i].sent))
		q.reach()
	}
	l.answer(q.next(i, time.Now()))
	return nil
}

// answered returns the slot of the query that a message answers.
func (q *queries) answered(message []byte) (int, error) {
	if status, ok := number(message, `"status"`); !ok || status != 200 {
		return 0, fmt.Errorf("an answer with another status than 200: %.300s", message)
	}
	address, ok := member(message, `"X-Reply-Address"`)
	if !ok || len(address) <= len(replyAddress) {
		return 0, fmt.Errorf("an answer without a reply address: %.300s", message)
	}
	address = address[1 : 1+len(replyAddress)]
	i, err := strconv.ParseUint(string(address[slotAt:slotAt+4]), 16, 16)
	if err != nil || int(i) >= len(q.slots) {
		return 0, fmt.Errorf("an answer to an unknown reply address %s", address)
	}
	number, err := strconv.ParseUint(string(address[numberAt:]), 16, 48)
	if err != nil || number != q.slots[i].number {
		return 0, fmt.Errorf("an answer to %s, which is not outstanding", address)
	}
	return int(i), nil
}

func (q *queries) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts, q.begins = true, time.Now()
}

func (q *queries) end() job.Result {
	q.mu.Lock()
	defer q.mu.Unlock()
	took := time.Since(q.begins)
	q.counts = false
	slices.Sort(q.answers)
	at := func(quantile float64) time.Duration { return q.answers[int(quantile*float64(len(q.answers)-1))] }
	return job.Result{Rate: float64(len(q.answers)) / took.Seconds(), P50: at(0.50), P99: at(0.99)}
}

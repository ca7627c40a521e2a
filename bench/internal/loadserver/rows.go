package loadserver

import (
	"fmt"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// Answers of many rows are asked for, one after the other; their bytes are counted.
type answers struct {
	*mark
	query    []byte
	smallest int64 // that an answer can be

	mu    sync.Mutex
	bytes int64
	began int64 // bytes before the answer that is coming in
	since period
}

func newAnswers(j job.Job) *answers {
	headers := `{"REPLY_ADDR_HEADER":"` + replyAddress + `"}`
	parameters := fmt.Appendf(nil, `{"rows":%d}`, j.Rows)
	return &answers{
		mark:     newMark(),
		query:    frame(operation("query", job.SourceName(0), headers, parameters)),
		smallest: int64(j.Rows) * int64(j.Size),
	}
}

func (a *answers) start(l *link) error {
	return l.write(a.query)
}

func (a *answers) message(l *link, message []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += int64(len(message))
	if !a.since.from.IsZero() {
		a.reach()
	}
	status, ok := number(message, `"status"`)
	switch {
	case !ok || status >= 300:
		return fmt.Errorf("not rows: %.300s", message)
	case status == 100:
		return nil
	case a.bytes-a.began < a.smallest:
		return fmt.Errorf("an answer of only %d bytes: rows are missing", a.bytes-a.began)
	}
	a.began = a.bytes
	l.answer(a.query)
	return nil
}

func (a *answers) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = period{time.Now(), a.bytes}
}

func (a *answers) end() job.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since.rate(a.bytes)
}

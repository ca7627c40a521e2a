package loadserver

import (
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A peer that answers wrongly must not be measured.

func TestQueriesAcceptNothingButTheirAnswers(t *testing.T) {
	address := func(slot, number string) string {
		return `{"status":200,"headers":{"X-Reply-Address":"` + replyAddress[:slotAt] + slot + "-" + number + `"},"body":[{}]}`
	}
	for what, message := range map[string]string{
		"a query error":         strings.Replace(address("0001", "000000000002"), "200", "400", 1),
		"no status":             `{"headers":{"X-Reply-Address":"` + replyAddress + `"}}`,
		"no reply address":      `{"status":200}`,
		"an unknown slot":       address("0002", "000000000002"),
		"another query's":       address("0001", "000000000001"),
		"no address at all":     `{"status":200,"headers":{"X-Reply-Address":"short"}}`,
		"answered already":      address("0000", "000000000001"),
		"not even hexadecimal ": address("zzzz", "000000000001"),
	} {
		l := newLink(&fakeConn{}, nil, 64)
		q := newQueries(job.Job{Case: job.Case{Outstanding: 2}})
		if err := q.start(l); err != nil {
			t.Fatal(err)
		}
		if err := q.message(l, []byte(address("0000", "000000000001"))); err != nil {
			t.Fatal(err)
		}
		if err := q.message(l, []byte(message)); err == nil {
			t.Errorf("%s was accepted: %s", what, message)
		}
	}
}

func TestAnswersMustHaveAllRows(t *testing.T) {
	row := strings.Repeat("x", 100)
	for what, messages := range map[string][]string{
		"too short":           {`{"status":100,` + row, `{"status":200}`},
		"an error at the end": {`{"status":100,` + row + row, `{"status":400}`},
		"an acknowledgement":  {`{"op":"notification"}`},
	} {
		l := newLink(&fakeConn{}, nil, 64)
		a := newAnswers(job.Job{Case: job.Case{Rows: 2, Size: 100}})
		var err error
		for _, message := range messages {
			err = a.message(l, []byte(message))
		}
		if err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

func TestOnlyReportsAndNotificationsAreExpected(t *testing.T) {
	l := newLink(&fakeConn{}, nil, 64)
	if err := newPublishes(job.Job{Case: job.Case{Size: 200}}).message(l, []byte(`{"op":"notification","object":{}}`)); err == nil {
		t.Error("a notification without a report was accepted")
	}
	if err := (&notifications{mark: newMark()}).message(l, []byte(`{"status":200}`)); err == nil {
		t.Error("what is no notification was accepted")
	}
	if _, err := newLoad(job.Job{Case: job.Case{Kind: "other"}}); err == nil {
		t.Error("there is a load that nobody knows")
	}
}

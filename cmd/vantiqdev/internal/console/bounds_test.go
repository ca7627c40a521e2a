package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// notification returns an event with a body of that size.
func notification(size int) vantiqtest.Event {
	return vantiqtest.Event{
		Time: time.Unix(1_000, 0), Kind: vantiqtest.NotificationReceived, Source: "A", Body: json.RawMessage(strings.Repeat("x", size)),
	}
}

func TestTheLogIsBounded(t *testing.T) {
	traffic := NewTraffic()
	for range keptEvents + 10 {
		traffic.Observe(notification(10))
	}
	if events, skipped, _ := traffic.after(0, 1_000_000); len(events) != keptEvents || skipped != 0 {
		t.Errorf("%d events are kept, %d skipped", len(events), skipped)
	}
	_, _, last := traffic.after(0, 1)
	const size = 1 << 20
	large := notification(size)
	for range 100 {
		traffic.Observe(large)
	}
	events, skipped, _ := traffic.after(last, 1_000_000)
	if len(events) != keptBytes/size || skipped != uint64(100-len(events)) {
		t.Errorf("%d events of 1 MiB are kept, %d skipped", len(events), skipped)
	}
	failed := vantiqtest.Event{Kind: vantiqtest.FinalReceived, Err: errors.New(strings.Repeat("x", size))}
	for range 100 {
		traffic.Observe(failed)
	}
	if events, _, _ := traffic.after(last, 1_000_000); len(events) != keptBytes/size || len(events[0].Error) != shownBytes {
		t.Errorf("%d errors of 1 MiB are kept, and %d bytes of one are shown", len(events), len(events[0].Error))
	}
}

func TestAWatchIsBounded(t *testing.T) {
	w := newWatch(nil)
	const size = 1 << 20
	for range 100 {
		w.offer(notification(size))
	}
	events, skipped := w.take()
	if len(events) < 60 || len(events)+skipped != 100 || skipped == 0 {
		t.Errorf("%d wait, %d are skipped", len(events), skipped)
	}
	w.offer(notification(size))
	if events, skipped = w.take(); len(events) != 1 || skipped != 0 {
		t.Errorf("then %d wait, %d are skipped", len(events), skipped)
	}
}

func TestRatesOfASecond(t *testing.T) {
	traffic := NewTraffic()
	at := time.Unix(1_000, 0)
	event := func(kind vantiqtest.Kind, d time.Duration) {
		traffic.Observe(vantiqtest.Event{Time: at, Kind: kind, Source: "A", Duration: d})
	}
	for n := range 101 { // answer times from 0 to 100 ms
		event(vantiqtest.QuerySent, 0)
		event(vantiqtest.FinalReceived, time.Duration(n)*time.Millisecond)
	}
	for range 7 {
		event(vantiqtest.PublishSent, 0)
	}
	for range 3 {
		event(vantiqtest.NotificationReceived, 0)
	}
	rates := traffic.ratesAfter(1_000, at.Add(time.Second))
	const want = "[{1001000 map[A:{7 101 3 101 50 100}]}]"
	if got := fmt.Sprint(rates); got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	// Long afterwards nothing of that is of the present.
	event(vantiqtest.PublishSent, 0)
	later := at.Add(time.Hour)
	for _, r := range traffic.ratesAfter(0, later) {
		if len(r.Sources) > 0 {
			t.Errorf("an hour later: %+v", r)
		}
	}
	if n := len(traffic.ratesAfter(0, later.Add(time.Hour-time.Second))); n > keptSeconds {
		t.Errorf("%d seconds are kept", n)
	}
}

// TestProblemsAreCountedAsTheyAreShown checks that the count of a source is what the filter of the page lets through.
func TestProblemsAreCountedAsTheyAreShown(t *testing.T) {
	traffic := NewTraffic()
	for _, e := range []vantiqtest.Event{
		{Kind: vantiqtest.ConnectAccepted},
		{Kind: vantiqtest.FinalReceived},
		{Kind: Fault, Err: errors.New("RST, from the console")},
		{Kind: vantiqtest.LinkClosed, Status: 1000, Err: errors.New("a close frame")},
		{Kind: vantiqtest.LinkClosed, Status: 1001, Err: errors.New("a close frame")},
	} {
		e.Source = "A"
		traffic.Observe(e)
	}
	if n := traffic.account("A").totals.Problems; n != 0 {
		t.Errorf("%d problems when all is well", n)
	}
	problems := []vantiqtest.Event{
		{Kind: vantiqtest.FinalReceived, Err: errors.New("no")},
		{Kind: vantiqtest.QueryAbandoned, Err: context.Canceled, Duration: 3 * time.Second},
		{Kind: vantiqtest.LinkClosed, Status: 1012, Err: errors.New("a close frame")},
		{Kind: vantiqtest.LinkClosed, Err: errors.New("connection reset by peer")},
		{Kind: vantiqtest.ConnectRefused}, {Kind: vantiqtest.ConnectIgnored}, {Kind: vantiqtest.Usurped}, {Kind: vantiqtest.StrayReceived},
		{Kind: vantiqtest.TooLargeReceived}, {Kind: vantiqtest.MalformedReceived}, {Kind: vantiqtest.UnexpectedReceived},
	}
	for _, e := range problems {
		e.Source = "A"
		traffic.Observe(e)
	}
	shown := 0
	events, _, _ := traffic.after(0, 100)
	for _, e := range events {
		if e.Problem {
			shown++
		}
		if e.Kind == vantiqtest.QueryAbandoned && e.Error != "to the SELECT until it was given up after 3s" {
			t.Errorf("no answer: %s", e.Error)
		}
	}
	if got := traffic.account("A").totals; shown != len(problems) || got.Problems != uint64(shown) || got.Failed != 2 || got.Refusals != 1 {
		t.Errorf("of %d problems %d are shown, and counted are %+v", len(problems), shown, got)
	}
}

func TestWhatNobodyUnderstandsIsEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"{\"op\": \xff\x00\u202e\n": `{"op": \xff\x00\u202e\n`,
		`{"a": "x\n"}`:              `{"a": "x\n"}`,
		"":                          "",
	} {
		e := show(1, &vantiqtest.Event{Kind: vantiqtest.MalformedReceived, Body: json.RawMessage(text)}, shownBytes)
		if e.Body != want {
			t.Errorf("%q is shown as %s", text, e.Body)
		}
	}
}

func TestNobodyMakesAccountsUp(t *testing.T) {
	traffic := NewTraffic()
	traffic.know(func(source string) bool { return source == "A" })
	traffic.Observe(vantiqtest.Event{Kind: vantiqtest.ConnectRefused, Source: "made up"})
	traffic.Observe(vantiqtest.Event{Kind: vantiqtest.ConnectIgnored, Source: "made up as well"})
	traffic.Observe(vantiqtest.Event{Kind: vantiqtest.UpgradeRefused, Status: 307})
	if n := len(traffic.sources); n != 0 {
		t.Errorf("%d sources have an account", n)
	}
	if events, _, _ := traffic.after(0, 10); len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
	traffic.Observe(vantiqtest.Event{Kind: vantiqtest.ConnectRefused, Source: "A"})
	if a := traffic.account("A"); a.totals.Refusals != 1 {
		t.Errorf("the first refusal is not counted: %+v", a.totals)
	}
}

package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/health"
)

func TestPublish(t *testing.T) {
	for name, exchange := range map[string]struct {
		message string
		want    []string
	}{
		"echo by default":    {`{"n":9007199254740993,"delayMs":"any","text":{}}`, []string{`{"n":9007199254740993,"delayMs":"any","text":{}}`}},
		"echo":               {`{"do":"echo","x":null}`, []string{`{"do":"echo","x":null}`}},
		"slow":               {`{"do":"slow","delayMs":60000}`, []string{`{"do":"slow","delayMs":60000}`}},
		"burst":              {`{"do":"burst","id":"b","count":2,"size":3}`, []string{`{"burst":"b","seq":0,"pad":"xxx"}`, `{"burst":"b","seq":1,"pad":"xxx"}`, `{"burst":"b","done":2,"errors":0}`}},
		"burst without size": {`{"do":"burst","id":7,"count":1,"pauseMs":5}`, []string{`{"burst":7,"seq":0,"pad":""}`, `{"burst":7,"done":1,"errors":0}`}},
		"burst too large":    {`{"do":"burst","count":2,"size":300000}`, []string{`{"burst":null,"done":2,"errors":2}`}},
		"raw":                {`{"do":"raw","value":{"n":1e400}}`, []string{`{"n":1e400}`}},
		"healthy":            {`{"do":"healthy"}`, []string{`{"health":"healthy","error":""}`}},
		"unhealthy":          {`{"do":"unhealthy"}`, []string{`{"health":"unhealthy","error":""}`}},
		"panic":              {`{"do":"panic","text":"as told"}`, nil},
		"unknown":            {`{"do":"dance"}`, nil},
		"not a verb":         {`{"do":{}}`, nil},
	} {
		bubble(t, name, func(t *testing.T) {
			_, source := start(t, nil)
			publish(t, source, parse(t, exchange.message))
			for _, want := range exchange.want {
				notified(t, source, want)
			}
			publish(t, source, document{"after": name}) // all goes on, and nothing else came
			notified(t, source, fmt.Sprintf(`{"after":%q}`, name))
		})
	}
}

func TestPublishRawReportsARefusal(t *testing.T) {
	_, source := start(t, nil)
	for _, value := range []any{nil, true, 1, "text", []int{1}, document{"pad": padding(300_000)}} {
		publish(t, source, document{"do": "raw", "value": value})
		event, err := source.Notification(t.Context())
		if err != nil || !strings.HasPrefix(event.String(), `{"refused":"`) {
			t.Errorf("%.20v: notification %.100s (%v)", value, event, err)
		}
	}
}

func TestPublishHealthyReportsAnError(t *testing.T) {
	closed := health.NewProbe("")
	closed.Close()
	_, source := start(t, nil, withProbe(closed))
	publish(t, source, document{"do": "healthy"})
	notified(t, source, `{"health":"undeclared","error":"the health probe is closed"}`)
}

func TestBurst(t *testing.T) {
	bubble(t, "runs beside other messages", func(t *testing.T) {
		_, source := start(t, nil)
		publish(t, source, document{"do": "burst", "id": 1, "count": 2, "pauseMs": 60_000})
		notified(t, source, `{"burst":1,"seq":0,"pad":""}`)
		publish(t, source, document{"x": 1})
		notified(t, source, `{"x":1}`)
		began := time.Now()
		notified(t, source, `{"burst":1,"seq":1,"pad":""}`)
		if waited := time.Since(began); waited < 50*time.Second {
			t.Errorf("it came after %v", waited)
		}
		notified(t, source, `{"burst":1,"done":2,"errors":0}`)
	})

	bubble(t, "goes on across links, and none of it gets lost", func(t *testing.T) {
		_, source := start(t, nil)
		publish(t, source, document{"do": "burst", "id": 1, "count": 200, "pauseMs": 100})
		received := map[string]bool{}
		for n := 0; !received[`{"burst":1,"done":200,"errors":0}`]; n++ {
			event, err := source.Notification(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			received[event.String()] = true
			if n%50 == 40 {
				source.Drop(1012)
			}
		}
		if len(received) != 201 {
			t.Errorf("%d different notifications came", len(received))
		}
	})
}

func TestSlowIsEchoedAlsoWhenItsSessionEnds(t *testing.T) {
	bubble(t, "link lost", func(t *testing.T) {
		_, source := start(t, nil)
		publish(t, source, document{"do": "slow", "delayMs": 3_600_000})
		source.Drop(1001)
		notified(t, source, `{"do":"slow","delayMs":3600000}`)
	})
	bubble(t, "draining", func(t *testing.T) {
		running, source := start(t, nil)
		publish(t, source, document{"do": "slow", "delayMs": 3_600_000})
		synctest.Wait() // so that its handler has begun
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		notified(t, source, `{"do":"slow","delayMs":3600000}`)
	})
}

func withProbe(probe *health.Probe) connectortest.Option {
	return connectortest.WithConfig(func(config *connectorset.Config) { config.Probe = probe })
}

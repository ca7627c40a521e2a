package job_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

func TestCasesHaveNoMoreSourcesThanAllowed(t *testing.T) {
	for limit, want := range map[int]string{
		1:      "sources-1",
		50:     "sources-1 sources-50",
		1000:   "sources-1 sources-100 sources-1000",
		10_000: "sources-1 sources-100 sources-1000 sources-10000",
	} {
		var names []string
		idle := ""
		for _, c := range job.Cases(limit) {
			if c.Sources < 1 || c.Sources > limit {
				t.Errorf("%s has %d sources of %d", c.Name, c.Sources, limit)
			}
			if c.Kind == job.Sources {
				names = append(names, c.Name)
			}
			if c.Idle {
				idle += c.Name
			}
		}
		if got := strings.Join(names, " "); got != want || idle != names[len(names)-1] {
			t.Errorf("at most %d: %s, idle %s; want %s", limit, got, idle, want)
		}
	}
}

func TestCasesWithTLSNameTheirTwin(t *testing.T) {
	byName := map[string]job.Case{}
	for _, c := range job.Cases(1) {
		byName[c.Name] = c
	}
	twins := 0
	for _, c := range byName {
		if !c.TLS {
			continue
		}
		twins++
		plain := byName[c.Plain]
		c.Name, c.Plain, c.TLS = plain.Name, "", false
		if c != plain {
			t.Errorf("%+v, without TLS %+v", c, plain)
		}
	}
	if twins != 4 {
		t.Errorf("%d cases with TLS", twins)
	}
}

func TestControl(t *testing.T) {
	var out bytes.Buffer
	c := job.NewControl(t.Context(), strings.NewReader("go\nend\n"), &out)
	if err := c.Await(job.Go); err != nil {
		t.Error(err)
	}
	if err := c.Await(job.Go); err == nil || !strings.Contains(err.Error(), `"end"`) {
		t.Error(err)
	}
	if err := c.Await(job.Go); !errors.Is(err, job.ErrLeft) {
		t.Error(err)
	}
	if err := c.Say(job.Line{Event: job.Began}); err != nil || out.String() != `{"event":"begin"}`+"\n" {
		t.Errorf("%s (%v)", &out, err)
	}
}

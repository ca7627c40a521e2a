package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// TestIsAChild is where this executable becomes a child of a test.
func TestIsAChild(t *testing.T) {
	order := os.Getenv(childOrder)
	if order == "" {
		t.Skip("not started as a child")
	}
	os.Exit(beChild(order))
}

func brief() settings {
	return settings{
		seed: 7, duration: 5 * time.Second, sources: 6, children: 1, every: time.Second, rate: 10, json: true,
		childArgs: []string{"-test.run=^TestIsAChild$"},
	}
}

func TestFiveSecondsOfChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	var stdout, stderr bytes.Buffer
	if code := brief().run(t.Context(), &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	if !strings.HasPrefix(stderr.String(), "chaos: seed 7\n") {
		t.Errorf("the seed does not come first: %s", &stderr)
	}
	var f figures
	if err := json.Unmarshal(stdout.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Faults < 10 || f.Accepted < 500 || f.Arrived+f.Refused+f.Unknowable != f.Accepted || f.Lost != 0 ||
		f.Queries < 20 || f.PublishesHandled == 0 || f.Processes < 2 || len(f.Samples) == 0 {
		t.Errorf("figures: %+v", f)
	}
}

func TestAViolationEndsTheRun(t *testing.T) {
	o := brief()
	o.children = 0
	for name, row := range map[string]struct {
		tamper func(s *source)
		wants  string
	}{
		"a notification is lost": {func(s *source) { s.arrived([]byte(`{"s":"sender 0","n":1000}`)) }, "lost or out of order"},
		"a query is answered differently": {func(s *source) {
			s.check("", func() error {
				s.queries.at("x")
				return errors.Join(s.queries.answered("x", "200", 1), s.queries.answered("x", "400", 2))
			})
		}, "two different final answers"},
		"a source is claimed again and again": {func(s *source) {
			for range 5 {
				s.claimed(false)
			}
		}, "connectExtension: an attempt came"},
		"a handler runs outside its session": {func(s *source) { s.closing(nil) }, "Close was called while"},
		"a notification is not ours": {func(s *source) {
			d, _ := protocol.NewDocument(map[string]int{"x": 1})
			s.arrived(d.Raw())
		}, "nobody sent"},
		"dials": {func(s *source) {
			for range 100 {
				s.chaos.dialled(s)
			}
		}, "dials: an attempt came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.tamper = func(c *chaos) { row.tamper(c.sources[3]) }
			var stdout, stderr bytes.Buffer
			if code := o.run(t.Context(), &stdout, &stderr); code != exitViolated {
				t.Errorf("exit code %d", code)
			}
			for _, part := range []string{"\nchaos: seed 7: after ", row.wants} {
				if !strings.Contains(stderr.String(), part) {
					t.Errorf("it does not say %q:\n%s", part, &stderr)
				}
			}
		})
	}
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for _, args := range [][]string{{"-duration", "-1s"}, {"-sources", "0"}, {"more"}, {"-nonsense"}} {
		if code := command(args, &bytes.Buffer{}, &bytes.Buffer{}); code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

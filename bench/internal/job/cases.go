package job

import (
	"fmt"
	"time"
)

const (
	kilo = 1 << 10

	manyRows = 100_000 // of 200 bytes: 20 MB
)

// levels are how many sources a peer has in one process.
var levels = []int{1, 100, 1000, 10_000}

// Cases returns all cases, in the order in which they are run. None has more sources than maxSources.
func Cases(maxSources int) []Case {
	cases := []Case{
		{Name: "publish-200", Kind: Publish, Size: 200, ReportEvery: 1000},
		{Name: "publish-2k", Kind: Publish, Size: 2 * kilo, ReportEvery: 200},
		{Name: "publish-64k", Kind: Publish, Size: 64 * kilo, ReportEvery: 10},
		{Name: "query-1", Kind: Query, Outstanding: 1},
		{Name: "query-64", Kind: Query, Outstanding: 64},
		{Name: "query-16-10ms", Kind: Query, Outstanding: 16, Delay: 10 * time.Millisecond},
		{Name: "notify-200", Kind: Notify, Size: 200},
		{Name: "notify-2k", Kind: Notify, Size: 2 * kilo},
		{Name: "rows", Kind: Rows, Rows: manyRows, Size: 200},
	}
	for _, c := range cases {
		switch c.Name {
		case "publish-200", "publish-2k", "query-64", "notify-200":
			c.Name, c.Plain, c.TLS = "tls-"+c.Name, c.Name, true
			cases = append(cases, c)
		}
	}
	for i := range cases {
		cases[i].Sources = 1
	}
	most := 0
	for _, level := range levels {
		if level = min(level, maxSources); level > most {
			most = level
			cases = append(cases, Case{Name: fmt.Sprintf("sources-%d", level), Kind: Sources, Sources: level})
		}
	}
	cases[len(cases)-1].Idle = true
	return append(cases,
		Case{Name: "restart", Kind: Restart, Sources: most, Away: time.Second},
		Case{Name: "away", Kind: Restart, Sources: min(200, most), Away: 6 * time.Second},
	)
}

// Peers returns the peers that a case is for.
func (c Case) Peers() []string {
	switch {
	case c.TLS:
		return []string{Raw, SDK}
	case c.Kind == Publish:
		return []string{Raw, JSON, SDK, SDKStruct, Python}
	case c.Kind == Query:
		return []string{Raw, JSON, SDK, Python}
	case c.Kind == Notify:
		return []string{Raw, JSON, SDK, SDKVouch, SDKStruct, SDKCodec, Python}
	case c.Kind == Rows:
		return []string{Raw, SDK, SDKVouch, SDKStruct, Python}
	default:
		return []string{Raw, SDK, Python}
	}
}

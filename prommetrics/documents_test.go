package prommetrics_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	typeLine = regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`)
	named    = regexp.MustCompile(`\bvantiq_connector_\w+`)
	series   = regexp.MustCompile(`^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})?$`)
	label    = regexp.MustCompile(`(\w+)="`)
	tableRow = regexp.MustCompile("(?m)^\\| `(vantiq_connector_\\w+)` \\| `vantiq\\.[a-z.]+` \\| ([^|]+) \\|")
)

// labels returns the labels of each metric in a scrape, sorted, without the le of histograms.
func labels(scrape string) map[string]string {
	found := map[string]string{}
	for name := range samples(scrape) {
		parts := series.FindStringSubmatch(name)
		var names []string
		for _, match := range label.FindAllStringSubmatch(parts[2], -1) {
			if match[1] != "le" {
				names = append(names, match[1])
			}
		}
		slices.Sort(names)
		found[parts[1]] = strings.Join(names, ", ")
	}
	return found
}

func TestTheDocumentListsTheMetricsThatExist(t *testing.T) {
	document := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(readFile(t, "../docs/monitoring.md"), -1) {
		names := strings.Split(row[2], ", ")
		slices.Sort(names)
		document[row[1]] = strings.Join(names, ", ")
		if row[2] == "none" {
			document[row[1]] = ""
		}
	}
	if scraped := labels(eventfulScrape(t)); !maps.Equal(document, scraped) {
		t.Errorf("docs/monitoring.md has\n%v, a scrape has\n%v", document, scraped)
	}
}

func TestTheAlertsNameMetricsThatExist(t *testing.T) {
	scrape := eventfulScrape(t)
	checkNames(t, scrape, "alerts.yaml", readFile(t, "alerts.yaml"))
	checkNames(t, scrape, "testdata/alerts.yaml", readFile(t, "testdata/alerts.yaml"))
}

func TestTheDashboardShowsTheMetricsThatExist(t *testing.T) {
	scrape := eventfulScrape(t)
	text := readFile(t, "dashboard.json")
	checkNames(t, scrape, "dashboard.json", text)
	for _, match := range typeLine.FindAllStringSubmatch(scrape, -1) {
		if !strings.Contains(text, match[1]) {
			t.Errorf("the dashboard does not show %s", match[1])
		}
	}
	if queries := readDashboard(t).queries(); len(queries) < 20 {
		t.Errorf("only %d queries were found in the dashboard: %q", len(queries), queries)
	}
}

// checkNames reports names in a text that are no metrics.
func checkNames(t *testing.T, scrape, file, text string) {
	t.Helper()
	exist := map[string]bool{}
	for _, match := range typeLine.FindAllStringSubmatch(scrape, -1) {
		exist[match[1]] = true
		if match[2] == "histogram" {
			exist[match[1]+"_bucket"], exist[match[1]+"_count"], exist[match[1]+"_sum"] = true, true, true
		}
	}
	names := named.FindAllString(text, -1)
	if len(names) == 0 {
		t.Errorf("%s names no metric", file)
	}
	for _, name := range names {
		if !exist[name] {
			t.Errorf("%s names %s, which no scrape has", file, name)
		}
	}
}

// Each alert has a row in the document and a test.
func TestEachAlertIsDescribedAndTested(t *testing.T) {
	document, tests := readFile(t, "../docs/monitoring.md"), readFile(t, "testdata/alerts.yaml")
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(readFile(t, "alerts.yaml"), -1)
	if len(alerts) == 0 {
		t.Fatal("there are no alerts")
	}
	for _, alert := range alerts {
		if !strings.Contains(document, "| `"+alert[1]+"` |") {
			t.Errorf("docs/monitoring.md does not describe %s", alert[1])
		}
		if !strings.Contains(tests, "alertname: "+alert[1]) {
			t.Errorf("testdata/alerts.yaml does not test %s", alert[1])
		}
	}
}

// A dashboard is what the tests look at of Grafana's format.
type dashboard struct {
	Panels []struct {
		ID      int
		Title   string
		Targets []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readFile(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dashboard) queries() (all []string) {
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

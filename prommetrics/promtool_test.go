package prommetrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/internal/eventful"
	"github.com/vantiq-go/connectorsdk/prommetrics"
)

// promtool runs the tool that comes with Prometheus. Where it is missing the test is skipped, unless the environment
// says SYSTEMS=required.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("SYSTEMS") == "required" {
			t.Fatal(err)
		}
		t.Skip("promtool is not there; Debian's package prometheus has it, and SYSTEMS=required makes this test fail without it")
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdin = strings.NewReader(stdin)
	if said, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

func TestPromtoolAcceptsTheScrape(t *testing.T) {
	promtool(t, eventfulScrape(t), "check", "metrics")
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) { promtool(t, "", "check", "rules", "alerts.yaml") }

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "", "test", "rules", "testdata/alerts.yaml")
}

// What the dashboard asks for becomes rules that promtool can check.
func TestPromtoolAcceptsTheDashboard(t *testing.T) {
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, query := range readDashboard(t).queries() {
		rules = append(rules, rule{fmt.Sprint("dashboard:", len(rules)), strings.ReplaceAll(query, "$__rate_interval", "5m")})
	}
	text, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.json") // JSON is YAML
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// eventfulScrape returns a scrape that has every metric. Processes cannot be started in its bubble.
func eventfulScrape(t *testing.T) (text string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		eventful.Start(t, metrics)
		text = scrape(t, metrics)
	})
	return text
}

package shown_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/shown"
)

func TestSecrets(t *testing.T) {
	for target, want := range map[string][]string{
		"https://h":                              nil,
		"https://h?a=1&token=hunter2#c":          {"hunter2"},
		"https://h?my%20hunter2":                 {"my%20hunter2", "my hunter2"},
		"https://h?a=hunter2&b=hunter3&c=%zzzzz": {"hunter2", "hunter3", "%zzzzz"},
		"https://h?token=hunter2?hunter3":        {"hunter2?hunter3"},
	} {
		if got := shown.Secrets(target, nil, 6); !slices.Equal(got, want) {
			t.Errorf("Secrets(%q) = %q, want %q", target, got, want)
		}
		header := http.Header{"X-Password": {"hunter4", "short"}}
		if got := shown.Secrets(target, header, 6); !slices.Equal(got, append([]string{"hunter4"}, want...)) {
			t.Errorf("with a header, Secrets(%q) = %q", target, got)
		}
	}
}

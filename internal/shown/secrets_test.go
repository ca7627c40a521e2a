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
		"https://h?my%20hunter2":                 {"my hunter2", "my%20hunter2", "my+hunter2"},
		"https://h?a=hunter2&b=hunter3&c=%zzzzz": {"%zzzzz", "hunter2", "hunter3"},
		"https://h?token=hunter2?hunter3":        {"hunter2?hunter3"},
		"https://h?a=hunter2&b=hunter2":          {"hunter2"},
	} {
		if got := shown.Secrets(target, nil, 6); !slices.Equal(got, want) {
			t.Errorf("Secrets(%q) = %q, want %q", target, got, want)
		}
	}
}

func TestSecretsOfAHeader(t *testing.T) {
	header := http.Header{
		"X-Password":    {"hunter2", "short"},
		"Authorization": {"Bearer hunter3=="},
		"Cookie":        {"sid=hunter4; x=1; other=hunter5"},
		"User-Agent":    {"my-connector"},
		"Accept":        {"application/json"},
	}
	want := []string{"Bearer hunter3==", "hunter2", "hunter3==", "hunter4", "hunter5", "other=hunter5", "sid=hunter4; x=1; other=hunter5"}
	if got := shown.Secrets("https://h", header, 6); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

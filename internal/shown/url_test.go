package shown_test

import (
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/shown"
)

func TestURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://dev.vantiq.com":              "https://dev.vantiq.com",
		"https://dev.vantiq.com/p\t":          "https://dev.vantiq.com/p",
		"dev.vantiq.com:8080":                 "dev.vantiq.com:8080",
		"https://me:hunter2@h/p":              "https://[redacted]@h/p",
		"me:hunter2@h":                        "[redacted]@h",
		"https//me:hunter2@h":                 "[redacted]@h",
		"https://me:hun/ter2@h":               "https://[redacted]@h",
		"https://me:hun?ter2@h":               "https://[redacted]",
		"https://me:hun#ter2@h":               "https://[redacted]",
		"https://me:hun@ter2@h":               "https://[redacted]@h",
		"https://h?token=hunter2":             "https://h?[redacted]",
		"https://me:hunter2@h/p?x#y":          "https://[redacted]@h/p?[redacted]",
		"https://h/p#hunter2":                 "https://h/p#[redacted]",
		"https://h/?mail=me@h&token=hunter2":  "https://[redacted]",
		"http://http://me:hunter2@proxy:8080": "http://[redacted]@proxy:8080",
		"":                                    "",
	} {
		if got := shown.URL(text); got != want {
			t.Errorf("URL(%q) = %q, want %q", text, got, want)
		}
	}
}

// A secret that stands where passwords and tokens stand is never shown, whatever stands around it.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://|user", "https//|u:p", "|://", "http://a/b|@c", "x?y|#@", "a@b?|c", "https://u:p?|w"} {
		before, after, _ := strings.Cut(seed, "|")
		f.Add(before, after)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2"
		if strings.Contains(before+after, secret) {
			return
		}
		for _, text := range []string{before + "://" + secret + after + "@host", "https://host/" + before + "?" + after + secret, "https://host#" + before + secret + after} {
			if scheme, _, found := strings.Cut(text, "://"); found && strings.Contains(scheme, secret) {
				continue
			}
			if got := shown.URL(text); strings.Contains(got, secret) {
				t.Errorf("URL(%q) = %q", text, got)
			}
		}
	})
}

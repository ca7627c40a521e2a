package connectorset

import "testing"

func TestOnlyTargetsBeyondThisMachineNeedTLS(t *testing.T) {
	for target, want := range map[string]bool{
		"http://vantiq.example.com": true, "ws://10.0.0.1:8080": true, "http://[2001:db8::1]": true, "http://localhost.example.com": true,
		"https://vantiq.example.com": false, "vantiq.example.com": false,
		"http://localhost:8080": false, "http://127.0.0.1": false, "http://127.1.2.3:80": false, "http://[::1]:8080": false,
	} {
		warned := false
		Config{}.withTarget(target).findDoubts(func(key, _ string) { warned = warned || key == "targetServer" })
		if warned != want {
			t.Errorf("%s: warned %v", target, warned)
		}
	}
}

func (c Config) withTarget(target string) Config {
	c.TargetServer = target
	return c
}

package connectorset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// minimal is a file that has what is required; tests add lines to it.
const minimal = "targetServer=https://dev.vantiq.com\nauthToken=abc\nsources=A\n"

// write puts content into a file of a directory that becomes the working directory.
func write(t *testing.T, content string) (name string) {
	t.Helper()
	t.Chdir(t.TempDir())
	clearEnvironment(t)
	if err := os.WriteFile("server.config", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "server.config"
}

// clearEnvironment hides what the developer's shell may have set.
func clearEnvironment(t *testing.T) {
	t.Helper()
	t.Setenv(tokenVariable, "")
	t.Setenv(queueVariable, "")
}

// read reads a file that must be without errors.
func read(t *testing.T, content string) Config {
	t.Helper()
	config, err := ReadConfig(write(t, content))
	if err != nil {
		t.Fatalf("ReadConfig: %v", err)
	}
	return config
}

func TestProperties(t *testing.T) {
	for _, test := range []struct {
		line string
		got  func(Config) any
		want any
	}{
		{"targetServer=http://h:8080", func(c Config) any { return c.TargetServer }, "http://h:8080"},
		{"authTokenFile=/run/token", func(c Config) any { return c.AuthTokenFile }, "/run/token"},
		{"sources=A, B ,,  my source , jp.example.C,", func(c Config) any { n, _ := c.sourceNames(); return strings.Join(n, "|") }, "A|B|my source|jp.example.C"},
		{"reconnectSecret=s3", func(c Config) any { return string(c.optionsFor("A").ReconnectSecret) }, "A_s3"},
		{"failOnConnectionError=true", func(c Config) any { return c.FailOnConnectionError }, true},
		{"failOnConnectionError=false", func(c Config) any { return c.FailOnConnectionError }, false},
		{"failOnConnectionError=", func(c Config) any { return c.FailOnConnectionError }, false},
		{"tcpProbeHost=127.0.0.1", func(c Config) any { return c.probeAddress() }, "127.0.0.1:8000"},
		{"tcpProbePort=9000", func(c Config) any { return c.probeAddress() }, ":9000"},
		{"tcpProbePort=0", func(c Config) any { return c.probeAddress() }, ""},
		{"tcpProbePort=", func(c Config) any { return c.probeAddress() }, ":8000"},
		{"sendPings=true", func(c Config) any { return c.PingInterval }, time.Duration(0)},
		{"sendPings=", func(c Config) any { return c.PingInterval }, time.Duration(0)},
		{"sendPings=false", func(c Config) any { return c.PingInterval }, time.Duration(-1)},
		{"sendPings=OFF", func(c Config) any { return c.PingInterval }, time.Duration(-1)},
		{"sendPings=True", func(c Config) any { return c.PingInterval }, time.Duration(0)},
		{"sendPings=false\npingInterval=5s", func(c Config) any { return c.PingInterval }, time.Duration(-1)},
		{"pingInterval=5s", func(c Config) any { return c.PingInterval }, 5 * time.Second},
		{"pingInterval=2.5", func(c Config) any { return c.PingInterval }, 2500 * time.Millisecond},
		{"pingInterval=0", func(c Config) any { return c.PingInterval }, time.Duration(-1)},
		{"pingTimeout=1m30s", func(c Config) any { return c.PingTimeout }, 90 * time.Second},
		{"handshakeTimeout=20", func(c Config) any { return c.HandshakeTimeout }, 20 * time.Second},
		{"drainTime=25s", func(c Config) any { return c.DrainTime }, 25 * time.Second},
		{"maxQueries=8", func(c Config) any { return c.MaxQueries }, 8},
		{"maxWaitingQueries=9", func(c Config) any { return c.MaxWaitingQueries }, 9},
		{"queryTimeout=5m", func(c Config) any { return c.QueryTimeout }, 5 * time.Minute},
		{"queryTimeout=0s", func(c Config) any { return c.QueryTimeout }, time.Duration(-1)},
		{"publishQueue=7", func(c Config) any { return c.PublishQueue }, 7},
		{"outboxMessages=100", func(c Config) any { return c.OutboxMessages }, 100},
		{"outboxBytes=1MiB", func(c Config) any { return c.OutboxBytes }, 1 << 20},
		{"outboxBytes=4096", func(c Config) any { return c.OutboxBytes }, 4096},
		{"outboxFull=DropOldest", func(c Config) any { return c.OutboxFull }, connector.DropOldest},
		{"outboxFull=block", func(c Config) any { return c.OutboxFull }, connector.Block},
		{"maxOutstanding=5", func(c Config) any { return c.MaxOutstanding }, 5},
		{"maxInbound=64 mib", func(c Config) any { return c.MaxInbound }, 64 << 20},
		{"maxOutbound=512KiB", func(c Config) any { return c.MaxOutbound }, 512 << 10},
		{"proxy=proxy.example.com:3128", proxyOf, "http://proxy.example.com:3128"},
		{"proxy=socks5://u:p@10.0.0.1:1080", proxyOf, "socks5://u:p@10.0.0.1:1080"},
		{"proxy=None", proxyOf, "none"},
	} {
		t.Run(test.line, func(t *testing.T) {
			if got := test.got(read(t, minimal+test.line+"\n")); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func proxyOf(c Config) any {
	if c.Proxy == nil {
		return "from the environment"
	}
	u, err := c.Proxy(nil)
	if u == nil {
		return "none"
	}
	return u.String() + errorText(err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBadValuesNameFileLineKeyValueAndWhatIsAccepted(t *testing.T) {
	for line, want := range map[string]string{
		"tcpProbePort=http":                       `server.config:4: tcpProbePort "http" is not accepted: use a number from 1 to 65535, or 0 for no port`,
		"tcpProbePort=70000":                      `tcpProbePort "70000" is not accepted: use a number from 1 to 65535`,
		"tcpProbePort=-1":                         `tcpProbePort "-1" is not accepted`,
		"sendPings=maybe":                         `sendPings "maybe" is not accepted: use true or false (or yes, no, on, off, 1, 0)`,
		"failOnConnectionError=da":                `failOnConnectionError "da" is not accepted: use true or false`,
		"maxQueries=many":                         `maxQueries "many" is not accepted: use a whole number from 1`,
		"maxQueries=0":                            `maxQueries "0" is not accepted: use a whole number from 1`,
		"maxQueries=-5":                           `maxQueries "-5" is not accepted`,
		"queryTimeout=5 minutes":                  `queryTimeout "5 minutes" is not accepted: use a duration up to 24h`,
		"queryTimeout=1e300":                      `queryTimeout "1e300" is not accepted`,
		"pingTimeout=0":                           `pingTimeout "0" is not accepted`,
		"pingTimeout=NaN":                         `pingTimeout "NaN" is not accepted`,
		"drainTime=-1s":                           `drainTime "-1s" is not accepted`,
		"outboxBytes=16MB":                        `outboxBytes "16MB" is not accepted: use a number of bytes from 1KiB to 1GiB, like 262144, 256KiB or 16MiB`,
		"outboxBytes=99999999TiB":                 `outboxBytes "99999999TiB" is not accepted`,
		"maxInbound=1GiB":                         `maxInbound "1GiB" is not accepted: use a number of bytes from 1KiB to 256MiB`,
		"maxOutbound=10":                          `maxOutbound "10" is not accepted`,
		"outboxFull=drop":                         `outboxFull "drop" is not accepted: use block, fail or dropOldest`,
		"proxy=ftp://h":                           `proxy "ftp://h" has the scheme "ftp": use a URL like`,
		"proxy=http://u:pw@":                      `proxy "http://[redacted]@" is not accepted: use a URL like`,
		"targetServer=vantiq://h":                 `server.config:4: targetServer "vantiq://h" has the scheme "vantiq": use https`,
		"targetServer=https://u:pw@h/":            `targetServer "https://[redacted]@h/" holds a user name`,
		`targetServer=https\://h\nauthToken=hush`: `targetServer "https://h…" holds a line break: in a properties file \n is one`,
		`targetServer=https\://u:hu\nsh@h`:        `targetServer "https://[redacted]@…" holds a line break`,
		`authToken=hu\nsh`:                        `authToken "[redacted]" holds a line break`,
		`sources=A\nB`:                            `sources "A…" holds a line break`,
		`tlsCaFile=C:\temp\ca.pem`:                `tlsCaFile "C:…" holds the control character '\t': write \\ for a backslash`,
		`tlsCaFile=C:\users\ca`:                   `server.config:4: holds a \u that is not followed by four hexadecimal digits: write \\ for a backslash`,
		`drainTime=10s\`:                          `server.config:4: ends in a backslash, which continues the line, but nothing follows`,
		"sources=Stra\xdfe":                       `sources "Stra…" holds bytes that are not UTF-8: save the file as UTF-8`,
		"=https://h":                              `server.config:4: has no name before the =`,
		"a\x00b=1":                                `server.config: is not UTF-8 text, perhaps UTF-16: save it as UTF-8`,
		"tlsCaFile=/no/such/file":                 `tlsCaFile "/no/such/file" cannot be read: no such file or directory`,
		"tlsCaFile=server.config":                 `tlsCaFile "server.config" holds no certificate: it must be a PEM file`,
		"tlsCertFile=x.pem":                       `tlsKeyFile is missing: tlsCertFile needs it`,
		"tlsKeyFile=x.pem":                        `tlsCertFile is missing: tlsKeyFile needs it`,
		"tlsKeyFile=x\ntlsCertFile=y":             `server.config:5: tlsCertFile "y" cannot be read: no such file`,
		"tlsKeyFile=server.config\ntlsCertFile=server.config": `tlsCertFile "server.config" does not go with tlsKeyFile server.config`,
	} {
		t.Run(line, func(t *testing.T) {
			_, err := ReadConfig(write(t, minimal+line))
			var configError *ConfigError
			if !errors.As(err, &configError) {
				t.Fatalf("got %v, want a ConfigError", err)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "pw") {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}

func TestEveryProblemIsReportedOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := ReadConfig(write(t, "source=A\nmaxQueries=x\ntargetServer=\nauthToken= \t\ndrainTime=y\n"))
	want := []string{
		`server.config:2: maxQueries "x" is not accepted: use a whole number from 1 to 1000000000`,
		`server.config:3: targetServer is missing: set it to the URL of your Vantiq server, like https://dev.vantiq.com`,
		`server.config:4: authToken is missing: create an access token for the sources' namespace in Vantiq, and set authToken, authTokenFile or the environment variable CONNECTOR_AUTH_TOKEN`,
		`server.config:5: drainTime "y" is not accepted: use a duration up to 24h, like 30s, 1m30s, or a number of seconds`,
		`server.config: sources is missing: name the sources that this connector serves, separated by commas`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

// What Java, Python and the library make of a line, and what is meant.
func TestSyntax(t *testing.T) {
	for _, test := range []struct{ name, content, target, token, sources string }{
		{"equals sign", "targetServer=https://h\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"colon, blank and blanks around", "targetServer : https://h\n  authToken t\n\tsources \t=\t A", "https://h", "t", "A"},
		{"CRLF", "targetServer=https://h\r\nauthToken=t\r\nsources=A\r\n", "https://h", "t", "A"},
		{"CR alone", "targetServer=https://h\rauthToken=t\rsources=A\r", "https://h", "t", "A"},
		{"comments", "# c\n  ! c\ntargetServer=https://h\n#authToken=x\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"last duplicate wins", "targetServer=https://g\ntargetServer=https://h\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"trailing blanks", "targetServer=https://h \t\nauthToken=t  \nsources=A ", "https://h", "t", "A"},
		{"separators in a token", "targetServer=https://h\nauthToken=a=b:c+d/e==\nsources=A", "https://h", "a=b:c+d/e==", "A"},
		{"dollar in a token", "targetServer=https://h\nauthToken=a${HOME}b$c\nsources=A", "https://h", "a${HOME}b$c", "A"},
		{"continued line", "targetServer=https://h\nauthToken=t\nsources=A,\\\n   B,\\\n\tC", "https://h", "t", "A|B|C"},
		{"continued line with CRLF", "targetServer=https://h\r\nauthToken=t\r\nsources=A,\\\r\n   B\r\n", "https://h", "t", "A|B"},
		{"backslash before the last line break", "targetServer=https://h\nauthToken=t\nsources=A\\\n", "https://h", "t", "A"},
		{"doubled backslash does not continue", "authToken=t\\\\\ntargetServer=https://h\nsources=A", "https://h", `t\`, "A"},
		{"comment is not continued", "# c \\\ntargetServer=https://h\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"hash on a continued line", "targetServer=https://h\nauthToken=t\nsources=A,\\\n#B", "https://h", "t", "A|#B"},
		{"byte order mark", "\uFEFFtargetServer=https://h\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"byte order mark before a comment", "\uFEFF# c\ntargetServer=https://h\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"non-ASCII in UTF-8", "targetServer=https://h\nauthToken=t\nsources=Straße,日本", "https://h", "t", "Straße|日本"},
		{"unicode escape", `targetServer=https://h` + "\nauthToken=t\n" + `sources=Stra\u00dfe`, "https://h", "t", "Straße"},
		{"escaped separators", `targetServer=https\://h` + "\nauthToken=t\nsources=A", "https://h", "t", "A"},
		{"escaped line break at the end is trimmed", `targetServer=https://h\n` + "\n" + `authToken=t\r\n` + "\nsources=A", "https://h", "t", "A"},
		{"value like a comment", "targetServer=https://h\nauthToken=#t\nsources=!A", "https://h", "#t", "!A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := read(t, test.content)
			names, _ := config.sourceNames()
			got := []string{config.TargetServer, string(config.AuthToken), strings.Join(names, "|")}
			if want := []string{test.target, test.token, test.sources}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 "",
		"source=B":                         `server.config:4: source is not a property and is ignored: is "sources" meant?`,
		"targetserver=x":                   `targetserver is not a property and is ignored: is "targetServer" meant?`,
		"sendPing=true":                    `is "sendPings" meant?`,
		"conectKwargs={}":                  `is "connectKWArgs" meant?`,
		"colour=blue":                      `server.config:4: colour is not a property and is ignored`,
		"CONNECTOR_AUTH_TOKEN=hush":        `CONNECTOR_AUTH_TOKEN is an environment variable: in a file the property is authToken`,
		"disableSslVerification=yes":       `write connectKWArgs={"disableSslVerification": true}`,
		"authtoken=hush":                   `is "authToken" meant?`,
		"sources=A,B,A":                    `sources lists ["A"] more than once: each source is served once`,
		"sources=[A,B]":                    `sources has brackets, which are a part of the names: remove them`,
		"authToken=again":                  `server.config:2: authToken is set again in line 4: the last one counts`,
		`proxy="none"`:                     `proxy is in quotes`,
		`tcpProbeHost="localhost"`:         `tcpProbeHost is in quotes, which are part of the value: remove them`,
		"tcpProbeHost=h # health":          `tcpProbeHost holds what looks like a comment, which is part of the value`,
		"authTokenFile=f":                  `server.config:4: authTokenFile has no effect, because authToken is set`,
		"authToken=\nauthTokenFile=f":      `authTokenFile cannot be read yet, and is tried again for every connect: f: no such file`,
		"authToken=\nauthTokenFile=.":      `authTokenFile cannot be read yet, and is tried again for every connect: .: it is not a regular file`,
		"targetServer=http://vantiq:8080":  `targetServer has a scheme without TLS: anybody on the network can read the auth token`,
		"sendPings=false\npingInterval=3s": `server.config:5: pingInterval has no effect, because sendPings is false`,
		`connectKWArgs={"disableSslVerification":true}`: `connectKWArgs disables TLS verification`,
	} {
		t.Run(line, func(t *testing.T) {
			config, err := ReadConfig(write(t, minimal+line))
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, warning := range config.Warnings() {
				texts = append(texts, warning.String())
			}
			all := strings.Join(texts, "\n")
			if !strings.Contains(all, want) || (want == "") != (all == "") {
				t.Errorf("got  %s\nwant %s", all, want)
			}
			if strings.Contains(all, "hush") {
				t.Errorf("shows a secret: %s", all)
			}
		})
	}
}

func TestWhichFileIsRead(t *testing.T) {
	put := func(name, target string) {
		t.Helper()
		content := "targetServer=" + target + "\nauthToken=t\nsources=A\n"
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(file, wantFile, wantTarget string) {
		t.Helper()
		config, err := ReadConfig(file)
		if err != nil || config.File() != wantFile || config.TargetServer != wantTarget {
			t.Errorf("read %s with target %s (%v), want %s with %s", config.File(), config.TargetServer, err, wantFile, wantTarget)
		}
	}
	t.Chdir(t.TempDir())
	clearEnvironment(t)

	_, err := ReadConfig("")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "serverConfig/server.config: does not exist, nor does server.config") {
		t.Errorf("without a file: %v", err)
	}
	put("server.config", "https://second")
	expect("", "server.config", "https://second")
	put("serverConfig/server.config", "https://first")
	expect("", "serverConfig/server.config", "https://first")
	put("other", "https://other")
	expect("other", "other", "https://other")

	// A first file that is not good is not passed over: nobody would find out which one was read.
	put("serverConfig/server.config", "")
	if _, err := ReadConfig(""); err == nil {
		t.Error("a first file without a targetServer is passed over")
	}
	if err := errors.Join(os.Remove("serverConfig/server.config"), os.Mkdir("serverConfig/server.config", 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(""); err == nil || !strings.Contains(err.Error(), "serverConfig/server.config: cannot be read: is a directory") {
		t.Errorf("a directory instead of the file: %v", err)
	}
	if _, err := ReadConfig("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a named file that does not exist: %v", err)
	}
}

func TestTokenFromTheEnvironment(t *testing.T) {
	const rest = "targetServer=https://h\nsources=A\n"
	for _, test := range []struct{ name, content, variable, token, file string }{
		{"file wins", rest + "authToken=file", "env", "file", ""},
		{"file is silent", rest, " env\n", "env", ""},
		{"blank in the file counts as absent", rest + "authToken=  ", "env", "env", ""},
		{"token file wins", rest + "authTokenFile=f", "env", "", "f"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := write(t, test.content)
			t.Setenv(tokenVariable, test.variable)
			config, err := ReadConfig(name)
			if err != nil || string(config.AuthToken) != test.token || config.AuthTokenFile != test.file {
				t.Errorf("token %q, file %q (%v)", string(config.AuthToken), config.AuthTokenFile, err)
			}
		})
	}
	for variable, want := range map[string]string{
		" \t ":   "server.config: authToken is missing",
		"hu\nsh": `CONNECTOR_AUTH_TOKEN "[redacted]" holds a line break`,
	} {
		name := write(t, rest)
		t.Setenv(tokenVariable, variable)
		if _, err := ReadConfig(name); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestQueueVariableOfTheJavaSDKIsAnswered(t *testing.T) {
	name := write(t, minimal)
	t.Setenv(queueVariable, "25")
	config, err := ReadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	warnings := config.Warnings()
	if len(warnings) != 1 || warnings[0].String() != "FAILED_MESSAGE_QUEUE_SIZE is set in the environment and ignored: outboxMessages says how many notifications may wait" {
		t.Errorf("got %v", warnings)
	}
}

package configdoc_test

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

//go:generate go test -run ^TestTheFilesAreUpToDate$ . -update

// A richConfig has everything that a configuration can have.
type richConfig struct {
	Connection
	General struct {
		URL     string        `json:"url" jsonschema:"where the system is"`
		Timeout time.Duration `json:"timeout" default:"30s" jsonschema:"how long a request may take"`
		Retries int           `json:"retries" default:"3" jsonschema:"how often it is tried again"`
		Verbose bool          `json:"verbose,omitempty" jsonschema:"log each request"`
	} `json:"general"`
	TLS *struct {
		Certificate []byte          `json:"certificate" jsonschema:"in DER"`
		Password    protocol.Secret `json:"password,omitempty" jsonschema:"of the key"`
		Verify      bool            `json:"verify" default:"true" jsonschema:"check the server's name | address"`
	} `json:"tls,omitempty" jsonschema:"without it there is no TLS"`
	Polls    []richPoll              `json:"polls,omitempty" jsonschema:"what is asked regularly"`
	Servers  map[string]*richServer  `json:"servers,omitempty" jsonschema:"by their names"`
	Ports    map[uint16]string       `json:"ports,omitempty" jsonschema:"what listens where"`
	Mode     string                  `json:"mode" enum:"insert, update" default:"insert" jsonschema:"how rows are written"`
	Level    int8                    `json:"level,omitempty" enum:"-1,0,2" jsonschema:"how much"`
	Natural  uint8                   `json:"natural,omitempty" enum:"0,7" jsonschema:"how many"`
	Network  netip.Addr              `json:"network,omitzero" enum:"::1,127.0.0.1" jsonschema:"from where"`
	Small    int8                    `json:"small,omitempty" jsonschema:"a small number"`
	Middle   uint32                  `json:"middle,omitempty" jsonschema:"a middling number"`
	Large    uint64                  `json:"large,omitempty" jsonschema:"a large number"`
	Ratio    float64                 `json:"ratio,omitempty" jsonschema:"a ratio"`
	Single   float32                 `json:"single,omitempty" jsonschema:"a rough ratio"`
	Exact    json.Number             `json:"exact,omitempty" jsonschema:"a number with all its digits"`
	Big      *big.Int                `json:"big" default:"12345678901234567890" jsonschema:"a number of any length"`
	At       time.Time               `json:"at,omitzero" jsonschema:"when"`
	Address  netip.Addr              `json:"address,omitzero" jsonschema:"from where"`
	Pair     [2]string               `json:"pair" default:"[\"a\",\"b\"]" jsonschema:"two words"`
	Matrix   [][]float64             `json:"matrix,omitempty" jsonschema:"rows of numbers"`
	Maybe    []*string               `json:"maybe,omitempty" jsonschema:"words, or null"`
	Labels   map[string]bool         `json:"labels,omitempty" jsonschema:"flags"`
	Further  connector.Document      `json:"further,omitzero" jsonschema:"whatever else"`
	Raw      json.RawMessage         `json:"raw,omitempty" jsonschema:"anything, as it is written"`
	Any      any                     `json:"any,omitempty" jsonschema:"anything"`
	Needed   any                     `json:"needed" jsonschema:"anything but null"`
	Tree     *richTree               `json:"tree,omitempty" jsonschema:"a tree"`
	Defaults struct{ A, B richPoll } `json:"defaults,omitzero"`
}

// Connection is embedded.
type Connection struct {
	Host string `json:"host" jsonschema:"name of the server"`
	Port uint16 `json:"port" default:"5432" jsonschema:"its port"`
}

type richPoll struct {
	Query string         `json:"query" jsonschema:"what is asked"`
	Every time.Duration  `json:"every" default:"1m" jsonschema:"how long it is from one to the next"`
	With  map[string]any `json:"with,omitempty" jsonschema:"its parameters"`
}

type richServer struct {
	Weight float64 `json:"weight,omitempty" jsonschema:"its share"`
}

type richTree struct {
	Name     string              `json:"name" jsonschema:"of the branch"`
	Branches map[string]richTree `json:"branches,omitempty" jsonschema:"further down"`
	Left     *richTree           `json:"left,omitempty" jsonschema:"beside it"`
}

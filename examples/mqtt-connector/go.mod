module github.com/vantiq-go/connectorsdk/examples/mqtt-connector

go 1.25.0

replace (
	github.com/vantiq-go/connectorsdk => ../..
	github.com/vantiq-go/connectorsdk/configdoc => ../../configdoc
)

require (
	github.com/eclipse/paho.golang v0.23.0
	github.com/mochi-mqtt/server/v2 v2.7.9
	github.com/vantiq-go/connectorsdk v0.0.0
	github.com/vantiq-go/connectorsdk/configdoc v0.0.0
	go.uber.org/goleak v1.3.0
	golang.org/x/time v0.14.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/google/jsonschema-go v0.4.3 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/lmittmann/tint v1.2.1 // indirect
	github.com/magiconair/properties v1.18.12 // indirect
	github.com/rs/xid v1.4.0 // indirect
	golang.org/x/net v0.47.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

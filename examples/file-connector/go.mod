module github.com/vantiq-go/connectorsdk/examples/file-connector

go 1.25.0

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/vantiq-go/connectorsdk v0.0.0
	github.com/vantiq-go/connectorsdk/configdoc v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/google/jsonschema-go v0.4.3 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/lmittmann/tint v1.2.1 // indirect
	github.com/magiconair/properties v1.18.12 // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/sys v0.38.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace (
	github.com/vantiq-go/connectorsdk => ../..
	github.com/vantiq-go/connectorsdk/configdoc => ../../configdoc
)

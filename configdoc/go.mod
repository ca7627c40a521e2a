module github.com/vantiq-go/connectorsdk/configdoc

go 1.25.0

require (
	github.com/google/jsonschema-go v0.4.3
	github.com/vantiq-go/connectorsdk v0.0.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace github.com/vantiq-go/connectorsdk => ..

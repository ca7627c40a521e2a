module github.com/vantiq-go/connectorsdk

go 1.25.0

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	github.com/fsnotify/fsnotify v1.10.1
	github.com/gorilla/websocket v1.5.3
	github.com/lmittmann/tint v1.2.1
	github.com/magiconair/properties v1.18.12
	github.com/urfave/cli/v3 v3.14.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.47.0
	golang.org/x/time v0.14.0
	pgregory.net/rapid v1.3.0
)

require golang.org/x/sys v0.38.0 // indirect

module github.com/vantiq-go/connectorsdk/boltoutbox

go 1.25.0

require (
	github.com/gofrs/flock v0.13.1
	github.com/vantiq-go/connectorsdk v0.0.0
	go.etcd.io/bbolt v1.5.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace github.com/vantiq-go/connectorsdk => ..

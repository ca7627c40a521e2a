module github.com/vantiq-go/connectorsdk/internal/chaos

go 1.25.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/vantiq-go/connectorsdk v0.0.0
	github.com/vantiq-go/connectorsdk/boltoutbox v0.0.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace (
	github.com/vantiq-go/connectorsdk => ../..
	github.com/vantiq-go/connectorsdk/boltoutbox => ../../boltoutbox
)

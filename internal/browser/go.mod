module github.com/vantiq-go/connectorsdk/internal/browser

go 1.25.0

replace github.com/vantiq-go/connectorsdk => ../..

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/gorilla/websocket v1.5.3
	github.com/vantiq-go/connectorsdk v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/magiconair/properties v1.18.12 // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)

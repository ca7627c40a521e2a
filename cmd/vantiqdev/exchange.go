package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An exchange does with each source what a newcomer would try first: it waits for the connector, publishes a message,
// and asks a query. It follows the events as they are told, so that whoever hears of its end has seen all of it.
type exchange struct {
	sample             sample
	expectNotification bool

	events   chan vantiqtest.Event
	over     chan struct{} // closed when nobody receives events any more
	obstacle error         // the last that came between the connector and a session
}

// notificationTime is how long the exchange waits for a notification that nobody expects.
const notificationTime = time.Second

func newExchange(f runFlags) *exchange {
	return &exchange{
		sample:             f.sample,
		expectNotification: f.expectNotification,
		events:             make(chan vantiqtest.Event),
		over:               make(chan struct{}),
	}
}

// offer takes an event that has been told.
func (x *exchange) offer(e vantiqtest.Event) {
	select {
	case x.events <- e:
	case <-x.over:
	}
}

// run returns nil when the exchange is complete with all sources, or why it cannot be.
func (x *exchange) run(ctx context.Context, sources []*vantiqtest.Source) error {
	defer close(x.over)
	for _, source := range sources {
		if err := x.with(ctx, source); err != nil {
			return fmt.Errorf("source %s: %w", source.Name(), err)
		}
	}
	return nil
}

func (x *exchange) with(ctx context.Context, source *vantiqtest.Source) error {
	if err := x.awaitConnector(ctx, source); err != nil {
		return err
	}
	if !x.sample.publish.none {
		if err := x.publish(ctx, source); err != nil {
			return err
		}
	}
	if x.sample.query.none {
		return nil
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := x.query(ctx, source)
		var failed protocol.QueryError
		if !errors.As(err, &failed) || failed.Code != connector.CodeNotConfigured || x.pause(ctx, wait) != nil {
			return err
		}
		// Its Connect handler is still at it, or fails and is called again.
	}
}

func (x *exchange) awaitConnector(ctx context.Context, source *vantiqtest.Source) error {
	if source.Connected() {
		return nil
	}
	err := x.next(ctx, func(vantiqtest.Event) bool { return source.Connected() })
	switch {
	case err == nil:
		return nil
	case x.obstacle != nil:
		return fmt.Errorf("no connector connected %w: %w", err, x.obstacle)
	}
	return fmt.Errorf("no connector connected %w, and none tried: does it read the same server.config?", err)
}

// publish publishes the sample, and waits for what comes of it.
func (x *exchange) publish(ctx context.Context, source *vantiqtest.Source) error {
	if err := source.Publish(ctx, x.sample.publish); err != nil {
		return fmt.Errorf("the sample PUBLISH failed: %w", err)
	}
	// What came before the PUBLISH did not come of it.
	if err := x.next(ctx, is(source, vantiqtest.PublishSent)); err != nil {
		return fmt.Errorf("the sample PUBLISH did not leave %w", err)
	}
	waiting := ctx
	if !x.expectNotification {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, notificationTime)
		defer cancel()
	}
	if err := x.next(waiting, is(source, vantiqtest.NotificationReceived)); err != nil && x.expectNotification {
		return fmt.Errorf("no notification followed the sample PUBLISH %w", err)
	}
	return nil
}

// query sends the sample query, and waits for its answer.
func (x *exchange) query(ctx context.Context, source *vantiqtest.Source) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	answered := make(chan error, 1)
	go func() { // ends with the answer or with ctx
		_, err := source.Query(ctx, x.sample.query)
		var status *protocol.StatusError
		if errors.As(err, &status) {
			stop(err) // the link was lost before the query left
		}
		answered <- err
	}()
	unseen := x.next(waiting, is(source, vantiqtest.FinalReceived))
	err := <-answered
	var failed protocol.QueryError
	switch {
	case errors.As(err, &failed) && failed.Code == connector.CodeNotConfigured:
		return fmt.Errorf("the sample query failed: %w; its source configuration is set by -config-json, or config in vantiqdev.json", err)
	case errors.As(err, &failed):
		return fmt.Errorf("the sample query failed: %w; -query sets its parameters", err)
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("the sample query failed: %w", err)
	case unseen != nil:
		return fmt.Errorf("the sample query was not answered %w", unseen)
	}
	return nil
}

func is(source *vantiqtest.Source, kind vantiqtest.Kind) func(vantiqtest.Event) bool {
	return func(e vantiqtest.Event) bool { return e.Kind == kind && e.Source == source.Name() }
}

// next waits for an event.
func (x *exchange) next(ctx context.Context, wanted func(vantiqtest.Event) bool) error {
	for {
		select {
		case e := <-x.events:
			switch e.Kind {
			case vantiqtest.UpgradeRefused, vantiqtest.ValidateRejected, vantiqtest.ConnectRefused, vantiqtest.ConnectIgnored:
				x.obstacle = fmt.Errorf("%s: %w", e.Kind, e.Err)
			}
			if wanted(e) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pause lets events pass for a while. It returns an error if ctx ends before.
func (x *exchange) pause(ctx context.Context, d time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_ = x.next(waiting, func(vantiqtest.Event) bool { return false })
	return context.Cause(ctx)
}
